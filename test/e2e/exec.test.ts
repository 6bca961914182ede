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

/** What a user could do meanwhile: the key that the program was given is no longer one. */
const revoking = `
import { execFileSync } from 'node:child_process';
const keys = (...words) => execFileSync(process.execPath, [${JSON.stringify(path.join(root, 'bin', 'nightshift.js'))}, 'keys', ...words], { encoding: 'utf8' });
keys('revoke', /apikey_\\w+/.exec(keys('list'))[0]);
for (let status = 200; status !== 401; ) {
  const headers = { 'x-api-key': process.env.ANTHROPIC_API_KEY, 'anthropic-version': '2023-06-01' };
  ({ status } = await fetch(process.env.ANTHROPIC_BASE_URL + '/v1/messages/batches', { headers }));
}
process.exitCode = 3;
`;

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function execute(test: TestContext, flags: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const folder = await scratchFolder(test);
  await writeFile(path.join(folder, 'classify.mjs'), program);
  await writeFile(path.join(folder, 'revoke.mjs'), revoking);
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
  assert.match(
    stderr,
    /spent +\$0 \(billing: simulated\)\n +the same +standard .*, batch .*, with cache .* \(list prices of /,
  );
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

test("ends with the program's own code where its key was revoked meanwhile", async (t) => {
  const { code, stderr } = await execute(t, ['--', process.execPath, 'revoke.mjs']);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /batches +unknown: its server answered with status 401\n/);
});

test("the program's own proxy is not asked for its server", async (t) => {
  const print = 'console.log(process.env.no_proxy, process.env.NO_PROXY)';
  const { stdout } = await execute(t, ['--', process.execPath, '-e', print], { NO_PROXY: 'internal.example' });
  assert.equal(stdout, 'internal.example,127.0.0.1 internal.example,127.0.0.1\n');
});
