/** `nightshift results`: the rows with their answers, from what a run keeps, at any time and in any format; it costs nothing. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerReader } from '../../bulk/ledger/ledger.ts';
import { openRowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import type { OutputSpec } from '../../bulk/run/spec.ts';
import { OutputClosedError } from '../../bulk/sinks/output-error.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { exportTo, Follower, type Export } from './rows-out.ts';
import { isFinished, snapshotOf } from './snapshot.ts';
import { number, printJson, say } from './talk.ts';
import { findRun, withLedger } from './where.ts';

const LOOK_MS = 500;

export async function results(given: Given): Promise<Exit> {
  const { values } = given;
  const found = findRun(given);
  const rows = await openRowsAndPrompt({ ...found, stdin: process.stdin });
  try {
    return await withLedger(found, async (ledger) => {
      const one: Export = { ...found, ledger, rows };
      const output = outputOf(given);
      if (values.follow) return await follow(given, { one, output });
      const exported = await exportTo(one, output, values.rowStates);
      if (output.location !== null && output.location !== '-') {
        if (values.json) printJson({ run: found.name, rows: exported.rows, by_state: exported.byState });
        say(given, `output  ${values.out}, ${number(exported.rows)} rows`);
      }
      return exits.done;
    });
  } catch (error) {
    if (error instanceof OutputClosedError) return exits.done;
    throw error;
  } finally {
    await rows.source.close();
  }
}

function outputOf({ values }: Given): OutputSpec {
  const { out } = values;
  const location = out === null || out === '-' || out.includes(':') ? out : resolve(out);
  return {
    location,
    format: values.resultFormat,
    join: values.join,
    columns: values.columns,
    order: values.order,
    errors: null,
  };
}

async function follow(
  given: Given,
  { one, output }: { readonly one: Export; readonly output: OutputSpec },
): Promise<Exit> {
  if (output.location !== null && output.location !== '-')
    throw new CommandError(
      exits.usage,
      '--follow writes to standard output',
      'Leave -o out: nightshift results --follow >> rows.jsonl',
    );
  const follower = await Follower.open(one, output, given.values.rowStates ?? undefined);
  const told = new Set<string>();
  for (;;) {
    const finished = isFinished(snapshotOf({ ledger: one.ledger, spec: one.spec, nowMs: Date.now() }));
    for (const id of ended(one.ledger)) {
      if (!told.has(id)) await follower.batch(id);
      told.add(id);
    }
    if (finished) break;
    await sleep(LOOK_MS);
  }
  await follower.end();
  return exits.done;
}

function ended(ledger: LedgerReader): readonly string[] {
  return ledger
    .batches()
    .filter(({ state }) => state === 'done')
    .map(({ id }) => id);
}
