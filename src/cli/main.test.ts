import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { scratchFolder } from '../../test/support/scratch-folder.ts';

const main = path.join(import.meta.dirname, 'main.ts');
const root = path.join(import.meta.dirname, '..', '..');

test('version and help end well', () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  for (const argv of [['--version'], ['version']])
    assert.deepEqual(run(...argv), { status: 0, stdout: `${version}\n`, stderr: '' });
  const help = run('serve', '--help');
  assert.equal(help.status, 0);
  assert.match(help.stdout, /--upstream PROTOCOL:URL/);
  assert.match(help.stdout, /Examples:/);
});

test('a wrong use ends with 2 and a hint', () => {
  for (const [argv, message] of [
    [['srve'], /unknown command 'srve'[^]*serve[^]*hint: /],
    [['--bogus'], /unknown option '--bogus'[^]*hint: /],
    [['serve', '--prot', '1'], /^error: unknown option --prot\nhint: Did you mean --port\?\n$/],
    [['serve', '--port', 'x'], /^error: --port: "x" is not accepted\nhint: Expected a whole number/],
    [['serve', '--api-key', 'hunter2'], /NIGHTSHIFT_API_KEY/],
    [[], /Usage:/],
  ] as const) {
    const { status, stdout, stderr } = run(...argv);
    assert.deepEqual([status, stdout], [2, ''], argv.join(' '));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /hunter2|\n {4}at /);
  }
});

test('a start that is refused ends with 1, an error and a hint, without a stack', async (t) => {
  const file = path.join(await scratchFolder(t), 'file');
  writeFileSync(file, '');
  const { status, stderr } = run('serve', '--port', '0', '--upstream', 'simulator', '--data', file);
  assert.equal(status, 1);
  assert.match(stderr, /^error: .*\nhint: /m);
  assert.doesNotMatch(stderr, /\n {4}at /);
});

test(
  'serve says where it is, keeps the first key, answers the TypeScript snippet, and stops when told to',
  { timeout: 60_000 },
  async (t) => {
    const data = await scratchFolder(t);
    const first = await start(t, data);
    assert.match(first.text(), /ANSWERS ARE SIMULATED/);
    const key = readFileSync(path.join(data, 'first-key'), 'utf8').trim();
    assert(first.text().includes(key));
    const list = await fetch(`${first.url}/v1/messages/batches`, {
      headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
    });
    assert.equal(list.status, 200);

    const snippet = /^import Anthropic[^]*?line\.result\);$/m.exec(first.text())![0];
    const client = spawn(process.execPath, ['--input-type=module-typescript', '-e', snippet], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = await client.stdout.toArray();
    assert.match(output.join(''), /hello-1 \{[^]*succeeded/);

    first.child.kill('SIGTERM');
    assert.deepEqual(await once(first.child, 'exit'), [0, null]);

    const second = await start(t, data);
    assert(!second.text().includes(key));
    assert(second.text().includes(path.join(data, 'first-key')));
    second.child.kill('SIGINT');
    assert.deepEqual(await once(second.child, 'exit'), [0, null]);
  },
);

test('a second signal ends the process while it still drains', { timeout: 60_000 }, async (t) => {
  const server = await start(t, await scratchFolder(t), '--simulator-latency', '1h');
  const key = /sk-nightshift-[\w-]+/.exec(server.text())![0];
  const params = { model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] };
  const created = await fetch(`${server.url}/v1/messages/batches`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify({ requests: [{ custom_id: 'a', params }] }),
  });
  assert.equal(created.status, 200);
  // Signals that come close together are one; so it takes some, but never the half minute of the drain.
  const again = setInterval(() => server.child.kill('SIGTERM'), 50);
  t.after(() => clearInterval(again));
  assert.deepEqual(await once(server.child, 'exit'), [128 + 15, null]);
});

/** Nothing of the caller's own configuration. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NIGHTSHIFT_')));

function run(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

async function start(
  t: TestContext,
  data: string,
  ...more: string[]
): Promise<{ child: ChildProcess; url: string; text: () => string }> {
  const argv = ['serve', '--port', '0', '--data', data, '--log-format', 'pretty', '--upstream', 'simulator', ...more];
  const child = spawn(process.execPath, [main, ...argv], { stdio: ['ignore', 'pipe', 'inherit'], env });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (piece) => {
      text += String(piece);
      // The banner ends with this snippet.
      if (/with TypeScript[^]*line\.result\);/.test(text)) resolve();
    });
    child.once('exit', () => reject(new Error(`it ended early:\n${text}`)));
  });
  const url = /^nightshift listening on (http:\/\/127\.0\.0\.1:\d+)\n/.exec(text)![1];
  return { child, url, text: () => text };
}
