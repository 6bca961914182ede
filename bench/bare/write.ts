/** The bare receiver: an HTTP server that writes each body to a file, fsyncs it and answers. */

import { createWriteStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const folder = process.argv[2];
let bodies = 0;

const server = createServer({ requestTimeout: 0 }, (request, response) => {
  bodies += 1;
  // `flush` is an fsync before the file is closed.
  const file = createWriteStream(join(folder, `body-${bodies}`), { flush: true });
  pipeline(request, file).then(
    () => response.end('{}'),
    () => response.destroy(),
  );
});

process.once('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
