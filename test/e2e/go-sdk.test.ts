/** The official Go SDK over a real socket: its own reading of results, lists, errors, streams and counts. */
import { test } from 'node:test';
import path from 'node:path';
import { builtGo } from '../support/installed.ts';
import { runProgram } from '../support/programs.ts';
import { startServer } from '../support/server.ts';

test('the official Go SDK, from a batch to a stream', async (t) => {
  const command = builtGo(path.join(import.meta.dirname, 'go'));
  await runProgram(t, { command, list: [], server: await startServer(t) });
});
