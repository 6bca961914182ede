import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { curlSnippet, pythonSnippet, shellQuoted, typescriptSnippet, type KeySource } from './snippets.ts';

const url = 'http://127.0.0.1:2424';
const keys: readonly KeySource[] = [
  { kind: 'value', value: 'sk-nightshift-abc' },
  { kind: 'file', path: "/home/o'neil/my data/first-key" },
  { kind: 'variable', name: 'NIGHTSHIFT_API_KEY' },
];

test('curl: a shell hands over the address, the headers and one JSON request, wherever the key comes from', (t) => {
  const shell = spawnSync('sh', ['-c', 'true']);
  if (shell.status !== 0) return t.skip('there is no sh here');
  for (const key of keys) {
    const script = `curl() { for word; do printf '%s\\n' "$word"; done; }; cat() { printf 'from %s' "$1"; };\n${curlSnippet({ url, key, model: "it's" })}`;
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8', env: { NIGHTSHIFT_API_KEY: 'preset' } });
    const words = stdout.trimEnd().split('\n');
    const expected = { value: 'sk-nightshift-abc', file: "from /home/o'neil/my data/first-key", variable: 'preset' }[
      key.kind
    ];
    assert.deepEqual(words.slice(0, 3), [`${url}/v1/messages/batches`, '-H', `x-api-key: ${expected}`]);
    const body = JSON.parse(words.at(-1)!) as { requests: { params: { model: string } }[] };
    assert.equal(body.requests[0].params.model, "it's");
  }
});

test('python: it compiles', (t) => {
  const python = spawnSync('python3', ['--version']);
  if (python.status !== 0) return t.skip('there is no python3 here');
  for (const key of keys) {
    const source = pythonSnippet({ url, key, model: 'm' });
    const { status, stderr } = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], {
      input: source,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  }
});

test('typescript: it compiles', () => {
  for (const key of keys) {
    const plain = stripTypeScriptTypes(typescriptSnippet({ url, key, model: 'm' }));
    const { status, stderr } = spawnSync(process.execPath, ['--check', '--input-type=module', '-'], {
      input: plain,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  }
});

test('words for a shell are quoted where they must be', () => {
  assert.equal(shellQuoted('./data/first-key'), './data/first-key');
  assert.equal(shellQuoted("a b'c"), String.raw`'a b'\''c'`);
});
