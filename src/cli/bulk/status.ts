/** `nightshift status` and `ls`: where runs stand, read from their folders while anybody may be working on them. */
import { exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { failedRows, isFinished, linesOf, snapshotJson, snapshotOf, stateWord, type Snapshot } from './snapshot.ts';
import { print, printJson, say, second, table, number } from './talk.ts';
import { commandFor, findRun, findRuns, withLedger, type FoundRun } from './where.ts';
import { amountText } from '../../money/words.ts';

export async function status(given: Given): Promise<Exit> {
  const run = findRun(given);
  const snapshot = await look(run);
  const remote = given.values.refresh ? await (await import('./refresh.ts')).refreshed(given, run) : null;
  if (given.values.json)
    printJson({ ...snapshotJson(run.name, snapshot), ...(remote === null ? {} : { api: remote }) });
  else {
    print(
      `${run.name}  ${stateWord(snapshot)}${snapshot.owner === null ? '' : ` by process ${snapshot.owner.pid} on ${snapshot.owner.host}`}`,
    );
    for (const line of linesOf(snapshot)) print(`  ${line}`);
    if (remote !== null)
      for (const batch of remote) print(`  ${batch.id}  ${batch.status}  ${JSON.stringify(batch.counts)}`);
    const next = nextStep(given, run.name, snapshot);
    if (next !== null) say(given, next);
  }
  return given.values.exitStatus ? exitOfSnapshot(snapshot) : exits.done;
}

export function exitOfSnapshot(snapshot: Snapshot): Exit {
  if (!isFinished(snapshot)) return exits.running;
  return failedRows(snapshot) > 0 ? exits.someRowsFailed : exits.done;
}

export function nextStep(given: Given, name: string, snapshot: Snapshot): string | null {
  if (stateWord(snapshot) === 'paused') return `  go on: ${commandFor(given, `resume ${name}`)}`;
  if (!isFinished(snapshot)) return null;
  return failedRows(snapshot) > 0 ? `  why: ${commandFor(given, `errors ${name}`)}` : null;
}

export async function list(given: Given): Promise<Exit> {
  const rows: (readonly string[])[] = [['RUN', 'STATE', 'ROWS', 'OK', 'FAILED', 'SPENT', 'CHANGED']];
  for (const run of findRuns(given)) {
    const snapshot = await look(run);
    if (given.values.json)
      printJson({ ...snapshotJson(run.name, snapshot), changed: new Date(run.changedAtMs).toISOString() });
    else
      rows.push([
        run.name,
        stateWord(snapshot),
        number(snapshot.rows),
        number(snapshot.counts.ok),
        number(failedRows(snapshot)),
        amountText(snapshot.spent),
        second(run.changedAtMs),
      ]);
  }
  if (rows.length > 1) print(table(rows));
  else if (!given.values.json) say(given, `There is no run in ${given.values.state}.`);
  return exits.done;
}

export function look({ folder, spec }: Pick<FoundRun, 'folder' | 'spec'>): Promise<Snapshot> {
  return withLedger({ folder }, (ledger) => snapshotOf({ ledger, spec, nowMs: Date.now() }));
}
