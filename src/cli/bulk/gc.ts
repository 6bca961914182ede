/** `nightshift gc`: drops the folders of finished runs, raw answers and all, after saying which. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { isFinished } from './snapshot.ts';
import { look } from './status.ts';
import { print, printJson, say, second } from './talk.ts';
import { findRun, findRuns, type FoundRun } from './where.ts';

export async function gc(given: Given): Promise<Exit> {
  const { operands, values } = given;
  const named = operands[0] === undefined ? null : findRun(given);
  const runs =
    named === null
      ? findRuns(given).filter(({ changedAtMs }) => Date.now() - changedAtMs >= values.olderThan)
      : [named];
  const finished: FoundRun[] = [];
  for (const run of runs) {
    const snapshot = await look(run);
    if (isFinished(snapshot) && snapshot.owner === null) finished.push(run);
    else if (named !== null)
      throw new CommandError(
        exits.usage,
        `${run.name} is not finished`,
        `Finish it with nightshift resume, or cancel it with nightshift cancel ${run.name}.`,
      );
  }
  for (const run of finished) {
    const bytes = bytesOf(run.folder.path);
    if (values.json) printJson({ run: run.name, bytes, changed: second(run.changedAtMs), dropped: values.yes });
    else
      print(
        `${values.yes ? 'dropped' : 'would drop'}  ${run.name}  ${(bytes / 1e6).toFixed(1)} MB  ${second(run.changedAtMs)}`,
      );
    if (values.yes) rmSync(run.folder.path, { recursive: true });
  }
  if (finished.length === 0) say(given, 'There is nothing to drop.');
  else if (!values.yes) say(given, 'Answers in these folders are gone for good then: add --yes.');
  return exits.done;
}

function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
