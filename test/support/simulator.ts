/** Starts `nightshift simulator` in a process of its own for one test, and ends it with the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { outsideEnvironment } from './server.ts';
import { root } from './sources.ts';

export type RunningSimulator = { readonly url: string; stop(): Promise<number | null> };

export async function startSimulator(
  test: TestContext,
  {
    flags = [],
    env = {},
  }: { readonly flags?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<RunningSimulator> {
  const list = [path.join(root, 'bin', 'nightshift.js'), 'simulator', '--port', '0', ...flags];
  const child = spawn(process.execPath, list, {
    env: { ...outsideEnvironment(), ...env },
    cwd: path.join(root, 'test'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  test.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece;
      const [, found] = /listening on (http:\/\/\S+)\n/.exec(stdout) ?? [];
      if (found !== undefined) resolve(found);
    });
    void exited.then((code) => reject(new Error(`the simulator ended with ${code} before it listened:\n${stderr}`)));
  });
  return {
    url,
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
