/** `nightshift cancel`: cancels the batches of a run; rows that have answers keep them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { yes } from './ask.ts';
import { drive } from './drive.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { withOpenRun } from './resume.ts';
import { look } from './status.ts';
import { number, plural, say } from './talk.ts';
import { findRun, type FoundRun } from './where.ts';
import { hostname } from 'node:os';

/** The process that works on the run leaves within two seconds of being told. */
const LEAVES_WITHIN_MS = 10_000;
const LOOK_MS = 50;

export async function cancel(given: Given): Promise<Exit> {
  const found = findRun(given);
  const { counts } = await look(found);
  const waiting = counts.pending + counts.sent;
  if (waiting === 0) {
    say(given, `${found.name} is finished: there is nothing to cancel.`);
    return exits.done;
  }
  if (!given.values.yes) {
    if (process.stdin.isTTY !== true || process.stderr.isTTY !== true)
      throw new CommandError(exits.usage, `this would cancel ${plural(waiting, 'row')} of ${found.name}`, 'Add --yes.');
    if (!(await yes(`Cancel ${plural(waiting, 'row')} of ${found.name}? [y/N] `))) return exits.done;
  }
  await askOwnerToLeave(found);
  return await withOpenRun(given, found, (open) =>
    drive(given, open, {
      first: async (run, signal) => {
        const { batches, rows } = await run.cancel(signal);
        say(
          given,
          `cancel  ${plural(batches, 'batch', 'batches')} told to stop, ${number(rows)} rows not sent; what was answered before is fetched now`,
        );
      },
    }),
  );
}

/** Another process of this machine is told as Ctrl-C would; on another machine it cannot be. */
async function askOwnerToLeave(found: FoundRun): Promise<void> {
  const { owner } = await look(found);
  if (owner === null || owner.host !== hostname()) return;
  process.kill(owner.pid, 'SIGTERM');
  for (const untilMs = Date.now() + LEAVES_WITHIN_MS; Date.now() < untilMs; await sleep(LOOK_MS)) {
    if ((await look(found)).owner?.pid !== owner.pid) return;
  }
}
