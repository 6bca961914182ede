/** `--detach`: a planned run goes on in a process of its own that outlives this one and its terminal. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunFolder } from '../../bulk/run/folder.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { look } from './status.ts';
import { printJson, say } from './talk.ts';
import { commandFor, findRun, logPath } from './where.ts';

/** So long a process may take to say that the run is its own. */
const OWNED_WITHIN_MS = 10_000;
const LOOK_MS = 50;

export async function detach(
  given: Given,
  { name, folder }: { readonly name: string; readonly folder: RunFolder },
): Promise<Exit> {
  const { values, said } = given;
  const log = openSync(logPath(folder), 'a', 0o600);
  const words = ['resume', name, '--yes', '--progress', 'plain', '--state', values.state];
  if (values.strict) words.push('--strict');
  if (said.has('maxCost')) words.push('--max-cost', String(values.maxCost));
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
    child.once('error', () => resolve(exits.failure));
  });
  const code = await Promise.race([ended, owned(given, { name, pid: child.pid ?? 0 })]);
  // A small run may be over already; only a failure is one.
  if (code !== null && code !== exits.done && code !== exits.someRowsFailed)
    throw new CommandError(
      code as Exit,
      `the process in the background ended with ${code}`,
      `It says why in ${logPath(folder)}.`,
    );
  child.unref();
  printJson({ run: name, pid: child.pid });
  say(given, `        look: ${commandFor(given, `watch ${name}`)}   stop: ${commandFor(given, `cancel ${name}`)}`);
  return exits.done;
}

async function owned(given: Given, { name, pid }: { readonly name: string; readonly pid: number }): Promise<null> {
  for (const untilMs = Date.now() + OWNED_WITHIN_MS; Date.now() < untilMs; await sleep(LOOK_MS)) {
    const { owner } = await look(findRun(given, name));
    if (owner?.pid === pid) return null;
  }
  return null;
}
