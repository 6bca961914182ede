/** What the image does, done by hand, because no image can be built where tests run: its steps, its files, its user. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from './support/scratch-folder.ts';
import { outsideEnvironment } from './support/server.ts';
import { readSource, root } from './support/sources.ts';

const dockerfile = readSource('packaging/Dockerfile');
const SOMEBODY = 65_534;

test('the image is built from what its ignore file lets through, and runs as somebody without rights', async (t) => {
  const build = await scratchFolder(t);
  const allowed = readSource('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  for (const name of copiedFromOutside()) assert.ok(allowed.includes(name), `.dockerignore keeps ${name} out`);
  for (const name of allowed) cpSync(path.join(root, name), path.join(build, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(build, 'node_modules'));
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: build, stdio: ['ignore', 'ignore', 'inherit'] });

  const app = await scratchFolder(t);
  for (const name of ['package.json', 'dist/src', 'bin'])
    cpSync(path.join(build, name), path.join(app, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(app, 'node_modules'));
  const data = path.join(app, 'data');
  mkdirSync(data, { mode: 0o777 });
  chmodSync(data, 0o777);
  chmodSync(app, 0o755);
  const answer = await askHealth(app, { ...settings(), NIGHTSHIFT_DATA: path.join(data, 'own'), NIGHTSHIFT_PORT: '0' });
  assert.equal(answer.status, 200);
});

/** Files and folders that COPY takes from outside of the build. */
function copiedFromOutside(): readonly string[] {
  const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].map(([, words]) => words!.split(' ').slice(0, -1));
  return copies.flat();
}

/** What the image sets, but for its folder and port. */
function settings(): Record<string, string> {
  return Object.fromEntries(
    [...dockerfile.matchAll(/(NIGHTSHIFT_\w+|NODE_ENV)=(\S+)/g)].map(([, name, value]) => [name!, value!]),
  );
}

/** Only root can become another, and only where that other may reach this Node and these packages. */
function somebody(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const other = { uid: SOMEBODY, gid: SOMEBODY };
  try {
    execFileSync(process.execPath, ['-e', ''], { ...other, cwd: path.join(root, 'node_modules'), stdio: 'ignore' });
    return other;
  } catch {
    return {};
  }
}

async function askHealth(app: string, env: Record<string, string>): Promise<Response> {
  const child = spawn(process.execPath, ['bin/nightshift.js', 'serve'], {
    cwd: app,
    env: { ...outsideEnvironment(), ...env },
    ...somebody(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (log += piece));
  try {
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (piece: string) => {
        const found = /listening on http:\/\/0\.0\.0\.0:(\d+)/.exec(piece);
        if (found !== null) resolve(`http://127.0.0.1:${found[1]}`);
      });
      child.once('exit', () => reject(new Error(`the server ended before it listened:\n${log}`)));
    });
    return await fetch(`${url}/readyz`);
  } finally {
    child.kill('SIGKILL');
  }
}
