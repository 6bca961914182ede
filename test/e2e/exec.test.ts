/** `nightshift exec`: a program written for the official API runs unchanged, and its end says what it did. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { scratchFolder } from '../support/scratch-folder.ts';
import { outsideEnvironment } from '../support/server.ts';
import { root } from '../support/sources.ts';

const sdk = path.join(root, 'node_modules', '@anthropic-ai', 'sdk', 'index.mjs');

/** Only what a user would write: no address, no key. */
const program = `
import Anthropic from ${JSON.stringify(sdk)};
const client = new Anthropic();
const request = (id, params) => ({ custom_id: id, params: { model: 'claude-haiku-4-5', max_tokens: 64, messages: [{ role: 'user', content: 'Hi' }], ...params } });
const batch = await client.messages.batches.create({ requests: [request('good'), request('better'), request('bad', { max_tokens: 0 })] });
for (;;) {
  const { processing_status: status } = await client.messages.batches.retrieve(batch.id);
  if (status === 'ended' || process.argv.includes('--leave')) break;
}
if (!process.argv.includes('--leave')) for await (const line of await client.messages.batches.results(batch.id)) console.log(line.custom_id, line.result.type);
process.exitCode = Number(process.env.END_WITH ?? 0);
`;

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function execute(test: TestContext, flags: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const folder = await scratchFolder(test);
  await writeFile(path.join(folder, 'classify.mjs'), program);
  const bin = path.join(root, 'bin', 'nightshift.js');
  const child = spawn(process.execPath, [bin, 'exec', ...flags], {
    cwd: folder,
    env: { ...outsideEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, stdout, stderr };
}

test('runs a program unchanged and ends with batches and failures', async (t) => {
  const { code, stdout, stderr } = await execute(t, ['--', process.execPath, 'classify.mjs']);
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.trim().split('\n').toSorted(), ['bad errored', 'better succeeded', 'good succeeded']);
  assert.match(stderr, /batches +1\n/);
  assert.match(stderr, /requests +2 succeeded, 1 errored\n/);
  assert.match(stderr, /failures +1 × invalid_request_error: max_tokens: .* \(such as bad\)\n/);
  assert.match(stderr, /spent +\$0 \(billing: simulated\)\n +the same +standard .*, batch .*, with cache .* \(list prices of /);
});

test("ends with the program's own code, and names what is unfinished", async (t) => {
  const flags = ['--simulator-latency', '1h', '--drain', '0', '--', process.execPath, 'classify.mjs', '--leave'];
  const { code, stderr } = await execute(t, flags, { END_WITH: '7' });
  assert.equal(code, 7, stderr);
  assert.match(stderr, /batches +1, 1 not ended\n/);
  assert.match(stderr, /go on +nightshift serve --data /);
});

test('says what is wrong where there is no program, or none of that name', async (t) => {
  const none = await execute(t, []);
  assert.deepEqual([none.code, none.stdout], [2, '']);
  assert.match(none.stderr, /there is no program to run\nhint: .*nightshift exec -- /);
  const unknown = await execute(t, ['--', 'no-such-program-anywhere']);
  assert.equal(unknown.code, 127);
  assert.match(unknown.stderr, /no-such-program-anywhere cannot be run/);
});
