/** The commands of the extensions in docs/compatibility.md, run as they stand. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { batchClient } from '../support/batch-client.ts';
import { requireProgram } from '../support/installed.ts';
import { runProgram } from '../support/programs.ts';
import { rows } from '../support/rows.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/server.ts';
import { readSource } from '../support/sources.ts';

type Example = { readonly heading: string; readonly command: string };

function examples(): readonly Example[] {
  const [, section = ''] = /^## Extensions\n([^]*?)(?=^## )/m.exec(readSource('docs/compatibility.md')) ?? [];
  return section.split(/^### /m).flatMap((part) => {
    const heading = part.slice(0, part.indexOf('\n'));
    return [...part.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, command = '']) => ({ heading, command }));
  });
}

test('the examples of the extensions', async (t) => {
  requireProgram('curl');
  const server = await startServer(t, { flags: ['--simulator-latency', '20ms', '--concurrency', '8'] });
  const client = batchClient(server);
  const { id } = await client.create({ body: rows(400).body });
  const folder = await scratchFolder(t);
  const env = { NIGHTSHIFT: server.url, KEY: server.key, ID: id };
  const run = (command: string): Promise<string> =>
    runProgram(t, { command: 'bash', list: ['-c', `set -eu\n${command}`], server, folder, env });
  const found = examples();
  const of = (heading: string): readonly string[] =>
    found.filter((example) => example.heading === heading).map(({ command }) => command);
  assert.equal(found.length, 5, 'every example is checked here');

  const [counts = ''] = of('Live counts');
  assert.match(await run(counts), /"processing":\d+/);

  const [poll = ''] = of('Results before the end');
  await run(poll);
  assert.equal(await readFile(path.join(folder, 'results.jsonl'), 'utf8'), await client.rawResults(id));

  const [create = '', download = ''] = of('Compressed bodies');
  assert.match(await run(create), /"type":"message_batch"/);
  assert.equal(await run(download), await client.rawResults(id));

  const [models = ''] = of('Models');
  assert.match(await run(models), /"data":\[.*"display_name":"Claude Haiku 4.5"/s);
});
