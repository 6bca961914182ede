/** `nightshift resume` and `retry`: on with a run from what it keeps; none of its flags is needed again. */
import { Ledger } from '../../bulk/ledger/writer.ts';
import { openRowsAndPrompt, type RowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import { planFacts } from '../../bulk/run/plan.ts';
import type { RetriableState, RunSpec } from '../../bulk/run/spec.ts';
import { systemWorld } from '../../bulk/run/world.ts';
import { chooseAgain } from '../../bulk/run/retry.ts';
import { RunError } from '../../bulk/run/errors.ts';
import { isLocal } from './api.ts';
import { maySpend } from './ask.ts';
import { detach } from './detach.ts';
import { drive, type OpenRun } from './drive.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { number, say } from './talk.ts';
import { findRun, type FoundRun } from './where.ts';

export async function resume(given: Given): Promise<Exit> {
  const found = findRun(given);
  if (given.values.detach) {
    refuseLocal(found);
    return await detach(given, found);
  }
  return await withOpenRun(given, found, async (open) => {
    say(given, `resume  ${open.name} goes on where it was`);
    if (open.ledger.wasSent()) return await drive(given, open);
    const each = open.spec.spend.expectedDollarsPerRequest;
    const requests = open.ledger.read.requests();
    const price = {
      expectedDollars: each === null ? null : each * requests,
      worstDollars: null,
      free: isLocal(open.spec.api.baseUrl),
    };
    return (await maySpend(given, price)) ? await drive(given, open) : exits.done;
  });
}

const retriedByDefault: readonly RetriableState[] = [
  'errored',
  'expired',
  'truncated',
  'invalid',
  'missing',
  'canceled',
];

export async function retry(given: Given): Promise<Exit> {
  const { values } = given;
  const found = findRun(given);
  if (values.detach) refuseLocal(found);
  const exit = await withOpenRun(given, found, async (open) => {
    const before = open.ledger.read.counts();
    const states =
      values.only ??
      (values.error === null ? retriedByDefault : ([...retriedByDefault, 'rejected', 'refused'] as const));
    const rows = states.reduce((sum, state) => sum + before[state], 0);
    const each = open.spec.spend.expectedDollarsPerRequest;
    const price = {
      expectedDollars: each === null ? null : each * rows,
      worstDollars: null,
      free: isLocal(open.spec.api.baseUrl),
    };
    if (rows > 0 && !(await maySpend(given, price))) return exits.done;
    const chosen = chooseAgain(open.ledger, {
      states,
      error: values.error,
      change: {
        ...(values.model === null ? {} : { model: values.model }),
        ...(values.maxTokens === null ? {} : { maxTokens: values.maxTokens }),
        ...(values.truncate.length === 0 ? {} : { truncate: values.truncate }),
      },
    });
    say(given, `retry   ${number(chosen)} rows are sent again`);
    return values.detach ? null : await drive(given, open);
  });
  return exit ?? (await detach(given, found));
}

/** The run, owned by this process while `body` runs; flags of now go before what was frozen where they only drive. */
export async function withOpenRun<T>(
  given: Given,
  { name, folder, spec }: FoundRun,
  body: (open: OpenRun) => Promise<T>,
): Promise<T> {
  const ledger = new Ledger(folder.state, { world: systemWorld });
  let rows: RowsAndPrompt | null = null;
  try {
    if (planFacts(ledger) === null)
      throw new CommandError(
        exits.usage,
        `${name} was never planned to its end`,
        'Run its first command again: nightshift run INPUT …',
      );
    rows = await openRowsAndPrompt({ spec, folder, stdin: process.stdin });
    await checkInput({ spec, rows });
    return await body({ name, folder, spec: drivenSpec(given, spec), ledger, rows });
  } finally {
    await rows?.source.close();
    ledger.close();
  }
}

/** A row that changed would be answered for another. */
async function checkInput({ spec, rows }: { readonly spec: RunSpec; readonly rows: RowsAndPrompt }): Promise<void> {
  const now = await rows.source.identity();
  const before = spec.input.identity;
  if (before === null || before.digest === now.digest) return;
  throw new RunError('changed', `${spec.input.location} has changed since the run began`);
}

function drivenSpec({ values, said }: Given, spec: RunSpec): RunSpec {
  const spend = said.has('maxCost') ? { ...spec.spend, maxCostDollars: values.maxCost } : spec.spend;
  const isMoved = said.has('baseUrl') && !isLocal(spec.api.baseUrl) && spec.api.baseUrl !== values.baseUrl;
  if (isMoved)
    throw new CommandError(
      exits.changed,
      `the run began at ${spec.api.baseUrl}, and its batches are there`,
      `Leave --base-url (and ANTHROPIC_BASE_URL) out, or set it to ${spec.api.baseUrl}.`,
    );
  return { ...spec, spend };
}

function refuseLocal({ spec }: FoundRun): void {
  if (isLocal(spec.api.baseUrl))
    throw new CommandError(
      exits.usage,
      '--local and --detach exclude each other',
      'The local server lives in this process: leave --detach out.',
    );
}
