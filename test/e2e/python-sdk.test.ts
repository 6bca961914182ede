/** The official Python SDK, its newest line and the one before, through every batch call over a real socket. */
import { test } from 'node:test';
import path from 'node:path';
import { pythonWith } from '../support/installed.ts';
import { runProgram } from '../support/programs.ts';
import { startServer } from '../support/server.ts';

const sdks = [
  { name: 'anthropic-1', version: '1.13.0' },
  { name: 'anthropic-2', version: '>=2,<3' },
];

test('the official Python SDKs', async (t) => {
  const fast = await startServer(t);
  const slow = await startServer(t, { flags: ['--simulator-latency', '1h', '--cancel-grace', '0'] });
  const script = (name: string): string => path.join(import.meta.dirname, 'python', name);

  for (const sdk of sdks) {
    const command = pythonWith(sdk);
    await t.test(`anthropic ${sdk.version}: batches from create to results, lists, deletes`, async () => {
      t.diagnostic((await runProgram(t, { command, list: [script('through_a_batch.py')], server: fast })).trim());
    });
    await t.test(`anthropic ${sdk.version}: canceling, and errors as the SDK's classes`, async () => {
      await runProgram(t, { command, list: [script('errors_and_cancel.py')], server: slow });
    });
  }
});
