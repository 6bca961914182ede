/** The bare download: an HTTP server that pipes one file into every response. */

import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const path = process.argv[2];
const length = statSync(path).size;

const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/x-jsonl', 'content-length': length });
  createReadStream(path).pipe(response);
});

process.once('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
