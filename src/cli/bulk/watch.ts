/** `nightshift watch`: looks on from the outside while a process works on a run; reads only, so any number may watch. */
import { setTimeout as sleep } from 'node:timers/promises';
import { exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { snapshotJson, snapshotOf, stateWord, type Snapshot } from './snapshot.ts';
import { exitOfSnapshot, nextStep } from './status.ts';
import { printJson, say } from './talk.ts';
import { openView } from './view.ts';
import { findRun, withLedger } from './where.ts';

const LOOK_MS = 500;

export async function watch(given: Given): Promise<Exit> {
  const run = findRun(given);
  const { values } = given;
  return await withLedger(run, async (ledger) => {
    const take = (): Snapshot => snapshotOf({ ledger, spec: run.spec, nowMs: Date.now() });
    const view = openView({ given, name: run.name, snapshot: take });
    const left = new AbortController();
    const leave = (): void => left.abort();
    process.once('SIGINT', leave).once('SIGTERM', leave);
    const untilMs = values.wait === null ? Infinity : Date.now() + values.wait;
    let snapshot = take();
    while (
      stateWord(snapshot) !== 'done' &&
      stateWord(snapshot) !== 'paused' &&
      !left.signal.aborted &&
      Date.now() < untilMs
    ) {
      await sleep(Math.min(LOOK_MS, Math.max(1, untilMs - Date.now())), undefined, { signal: left.signal }).catch(
        () => undefined,
      );
      snapshot = take();
    }
    view.end();
    process.off('SIGINT', leave).off('SIGTERM', leave);
    if (values.json) printJson(snapshotJson(run.name, snapshot));
    const next = nextStep(given, run.name, snapshot);
    if (next !== null) say(given, next);
    return left.signal.aborted ? exits.interrupted : exitOfSnapshot(snapshot);
  });
}
