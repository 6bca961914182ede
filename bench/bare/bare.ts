/** Starts what a bench compares with: the least a Node program can do for the same work, in a process of its own. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { killed, track } from '../scratch.ts';

export type BareProcess = {
  /** What it said when it was ready: the address it listens on, or null. */
  readonly url: string | null;
  /** Asks for one piece of work and waits for what it reports. */
  ask(input: unknown): Promise<unknown>;
};

export type BareName = 'loop' | 'write' | 'file';

export async function startBare(resources: AsyncDisposableStack, name: BareName, argument = ''): Promise<BareProcess> {
  const child = fork(new URL(`./${name}.ts`, import.meta.url), [argument], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  track(child);
  resources.defer(() => killed(child, 'SIGKILL'));
  const [first] = (await answered(once(child, 'message'), once(child, 'exit'))) as [{ url: string | null }];
  return {
    url: first.url,
    async ask(input) {
      const reply = once(child, 'message');
      child.send(input as object);
      return (await answered(reply, once(child, 'exit')))[0];
    },
  };
}

function answered(reply: Promise<unknown[]>, exit: Promise<unknown[]>): Promise<unknown[]> {
  return Promise.race([reply, exit.then(() => Promise.reject(new Error('the bare process ended early')))]);
}
