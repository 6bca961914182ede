/** The bulk client as a person uses it: at a terminal, in pipes, interrupted, completed by a shell; and its page in step with it. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { commandNames } from '../../src/cli/bulk/commands.ts';
import { exitProse } from '../../src/cli/bulk/exits.ts';
import { desk, lines, model, run, template, writeRows } from '../support/bulk-desk.ts';
import { requireProgram } from '../support/installed.ts';
import { nightshift, startNightshift } from '../support/nightshift.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { outsideEnvironment } from '../support/server.ts';
import { readSource, root } from '../support/sources.ts';

test('Ctrl-C pauses a local run, and resume needs no flag', { timeout: 60_000 }, async (t) => {
  const cwd = await scratchFolder(t);
  writeRows(cwd, 'rows.csv', 40);
  const slow = { NIGHTSHIFT_SIMULATOR_LATENCY: '30s' };
  const argv = ['run', 'rows.csv', '-t', template, ...model, '--local', '--concurrency', '4', '-o', 'out.jsonl'];
  const first = startNightshift(argv, { cwd, env: slow }, t);
  await first.says(/batches=0\/1/);
  first.child.kill('SIGINT');
  const left = await first.ended;
  assert.deepEqual([left.code, left.stdout], [130, ''], left.stderr);
  assert.match(left.stderr, /paused +the local server has stopped; nothing is lost\.\n +go on: nightshift resume rows/);
  const resumed = await nightshift(['resume'], { cwd });
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.equal(lines(readFileSync(path.join(cwd, 'out.jsonl'), 'utf8')).length, 40);
});

test('docs/bulk.md tells every command and every exit code', () => {
  const page = readSource('docs/bulk.md');
  for (const name of commandNames) assert.ok(page.includes(`\n| \`nightshift ${name}`), name);
  for (const [code] of exitProse) assert.match(page, new RegExp(`^\\| ${code}[, ]`, 'm'), String(code));
});

test('a reader that goes away detaches the run cleanly', { timeout: 60_000 }, async (t) => {
  const { cwd, env, go } = await desk(t);
  writeRows(cwd, 'many.csv', 3_000);
  const words = `${command} run many.csv -t '${template}' ${model.join(' ')} --yes --chunk-requests 500 -q; echo "code $?" >&2`;
  const { stdout, stderr } = await shell(`{ ${words}; } | head -n 1`, { cwd, env });
  assert.equal(lines(stdout).length, 1);
  assert.match(stderr, /code 0/);
  assert.equal((await go('resume', '--yes', '-q')).code, 0);
});

test('--progress json tells events; colors only where they are wanted', { timeout: 60_000 }, async (t) => {
  const { cwd, env, go } = await desk(t);
  const { code, stderr } = await go(...run, '--yes', '-o', 'out.csv', '--progress', 'json');
  assert.equal(code, 0, stderr);
  const kinds = stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line).kind as string);
  for (const kind of ['intent', 'submitted', 'ended', 'ingested', 'done']) assert.ok(kinds.includes(kind), kind);
  for (const [more, expected] of [
    [{}, false],
    [{ FORCE_COLOR: '1' }, true],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ] as const) {
    const { stdout } = await nightshift(['show', 'r1'], { cwd, env: { ...env, ...more } as Record<string, string> });
    assert.equal(stdout.includes('\u001B['), expected, JSON.stringify(more));
  }
});

test('completion scripts are scripts of their shells', { timeout: 60_000 }, async (t) => {
  const cwd = await scratchFolder(t);
  for (const shell of ['bash', 'zsh', 'fish', 'pwsh']) {
    const { code, stdout } = await nightshift(['completion', shell], { cwd });
    assert.equal(code, 0);
    assert.match(stdout, /--max-cost|max-cost/);
    if (shell === 'bash') execFileSync('bash', ['-n'], { input: stdout });
  }
  const script = (await nightshift(['completion', 'bash'], { cwd })).stdout;
  const asked = `${script}\nCOMP_WORDS=(nightshift run --max-c); COMP_CWORD=2; _nightshift; echo "\${COMPREPLY[*]}"`;
  assert.equal(execFileSync('bash', { input: asked, encoding: 'utf8' }), '--max-cost\n');
  assert.equal((await nightshift(['completion', 'tcsh'], { cwd })).code, 2);
});

test('at a terminal: a question before money, then a few lines redrawn', { timeout: 60_000 }, async (t) => {
  requireProgram('script');
  const { cwd, env, fake } = await desk(t);
  const words = `${command} run rows.csv -t '${template}' ${model.join(' ')} -o out.csv --confirm-above 0`;
  const atTerminal = (answer: string): Promise<{ stdout: string }> =>
    shell(`printf '%s\\n' ${answer} | script -qec "$WORDS" /dev/null`, {
      cwd,
      env: { ...env, WORDS: words, TERM: 'xterm' },
    });
  const declined = await atTerminal('n');
  assert.match(declined.stdout, /Submit\? \[y\/N\]/);
  assert.match(declined.stdout, /Nothing was sent/);
  assert.equal(fake.posts.length, 0);
  const agreed = await atTerminal('y');
  assert.match(agreed.stdout, /batches\S* +▰+ 1 of 1 ended[^]*done +12 rows: 12 ok/);
  assert.ok(agreed.stdout.includes('\u001B[K'));
  assert.equal(fake.posts.length, 1);
});

const command = `${process.execPath} ${path.join(root, 'bin', 'nightshift.js')}`;

function shell(
  words: string,
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('bash', ['-c', words], { cwd, env: { ...outsideEnvironment(), ...env } });
}
