/** Runs the command `nightshift` in a process of its own, in a folder of its own, for tests of what it prints and how it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { outsideEnvironment } from './server.ts';
import { root } from './sources.ts';

export type Ended = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type CommandOptions = {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
};

const bin = path.join(root, 'bin', 'nightshift.js');

export async function nightshift(argv: readonly string[], options: CommandOptions): Promise<Ended> {
  return await startNightshift(argv, options).ended;
}

export type Started = {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard error holds this. */
  says(what: RegExp): Promise<void>;
};

export function startNightshift(
  argv: readonly string[],
  { cwd, env = {}, input }: CommandOptions,
  test?: TestContext,
): Started {
  const child = spawn(process.execPath, [bin, ...argv], {
    cwd,
    env: { ...outsideEnvironment(), ...env },
    stdio: 'pipe',
  });
  test?.after(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined).end(input ?? '');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
  const ended = Promise.all([text(child.stdout), once(child, 'close')]).then(
    ([stdout, [code, signal]]) => ({ code, signal, stdout, stderr }) as Ended,
  );
  const says = (what: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (what.test(stderr)) resolve();
      };
      child.stderr.on('data', look);
      child.once('close', () =>
        what.test(stderr) ? resolve() : reject(new Error(`it ended without ${what}:\n${stderr}`)),
      );
      look();
    });
  return { child, ended, says };
}
