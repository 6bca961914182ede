/** `nightshift run` and `plan`: read and price everything, ask, then work; the same run again goes on where it was. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { estimate, sampler } from '../../bulk/estimate.ts';
import { Ledger } from '../../bulk/ledger/writer.ts';
import { openRowsAndPrompt, type RowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import { makeFolder, readSpec, type RunFolder, writeSpec } from '../../bulk/run/folder.ts';
import { planRun, type Planned } from '../../bulk/run/plan.ts';
import { replanChanged } from '../../bulk/run/replan.ts';
import type { RunSpec, SpecChange } from '../../bulk/run/spec.ts';
import { systemWorld } from '../../bulk/run/world.ts';
import { httpBatchApi } from '../../bulk/api/api.ts';
import { credentials, isLocal } from './api.ts';
import { maySpend } from './ask.ts';
import { detach } from './detach.ts';
import { drive, type OpenRun } from './drive.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import { faultsIn, planJson, planLines, type Plan } from './plan-words.ts';
import type { Given } from './read-flags.ts';
import { nameOf, specOf } from './spec.ts';
import { number, plural, print, printJson, say } from './talk.ts';
import { commandFor, folderOf } from './where.ts';

/** Reads everything into a folder of its own that is gone afterwards: a plan leaves no trace and disturbs no run. */
export async function plan(given: Given): Promise<Exit> {
  const input = inputOf(given);
  const name = nameOf(given, input);
  const path = mkdtempSync(join(tmpdir(), 'nightshift-plan-'));
  try {
    return await withRun({ folder: makeFolder(path), spec: await specOf(given, { name, input }) }, async (open) => {
      const { planned, ...read } = await planOpen(open);
      if (planned.kind === 'changed') throw new Error('a plan of its own cannot have begun');
      const made = await planOf(given, { ...open, name }, { planned, ...read });
      if (given.values.json) printJson(planJson(made));
      else for (const line of planLines(made)) print(line);
      return made.facts.rejected > 0 ? exits.invalidRows : exits.done;
    });
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

export async function run(given: Given): Promise<Exit> {
  if (given.values.dryRun) return await plan(given);
  const input = inputOf(given);
  const name = freeName(given, nameOf(given, input));
  const asked = await specOf(given, { name, input });
  const folder = makeFolder(folderOf(given, name).path);
  const frozen = given.values.asStarted ? readSpec(folder) : null;
  const exit = await withRun({ folder, spec: frozen ?? asked }, async (open) => {
    const begun = await begin(given, { ...open, name });
    if (begun === null) return exits.done;
    return given.values.detach ? null : await drive(given, begun);
  });
  return exit ?? detach(given, { name, folder });
}

/** Planned and agreed to; null where the person said no. */
async function begin(given: Given, open: OpenRun): Promise<OpenRun | null> {
  const { folder, ledger, spec } = open;
  const { planned, ...read } = await planOpen(open);
  if (planned.kind === 'changed') {
    if (!given.values.onlyChanged) throw changed(open.name, planned.changes);
    return await sendChanged(given, open, planned.spec);
  }
  if (planned.kind === 'same' && ledger.wasSent()) {
    say(given, `resume  ${open.name} goes on where it was`);
    // How it is driven may change at any time; what is asked may not.
    const { policy, batching, output, spend } = spec;
    const { expectedDollarsPerRequest } = planned.spec.spend;
    const now = { ...planned.spec, policy, batching, output, spend: { ...spend, expectedDollarsPerRequest } };
    writeSpec(folder, now);
    return { ...open, spec: now };
  }
  const made = await planOf(given, open, { planned, ...read });
  for (const line of planLines(made)) say(given, line);
  const each =
    made.free || made.estimate.expectedDollars === null
      ? null
      : made.estimate.expectedDollars / Math.max(1, made.facts.requests);
  const now: RunSpec = { ...planned.spec, ...only(spec), spend: { ...spec.spend, expectedDollarsPerRequest: each } };
  writeSpec(folder, now);
  const may = made.facts.requests === 0 || (await maySpend(given, { ...made.estimate, free: made.free }));
  if (!may) say(given, `Nothing was sent. ${commandFor(given, `gc ${open.name} --yes`)} forgets it.`);
  return may ? { ...open, spec: now } : null;
}

/** The rows whose request differs from the one the run began with, and those that are new. */
async function sendChanged(given: Given, open: OpenRun, before: RunSpec): Promise<OpenRun | null> {
  const { folder, ledger, rows } = open;
  const { expectedDollarsPerRequest: each } = before.spend;
  const asked: RunSpec = { ...open.spec, spend: { ...open.spec.spend, expectedDollarsPerRequest: each } };
  const {
    spec,
    changed: differ,
    added,
    same,
  } = await replanChanged({ folder, ledger, spec: asked, ...rows, world: systemWorld });
  say(given, `plan    ${plural(differ, 'request')} differ · ${number(added)} new · ${number(same)} as before`);
  const price = {
    expectedDollars: each === null ? null : each * (differ + added),
    worstDollars: null,
    free: isLocal(spec.api.baseUrl),
  };
  return (await maySpend(given, price)) ? { ...open, spec } : null;
}

function only({ policy, batching, output }: RunSpec): Pick<RunSpec, 'policy' | 'batching' | 'output'> {
  return { policy, batching, output };
}

type Opened = Omit<OpenRun, 'name'>;

async function withRun<T>(
  { folder, spec }: { folder: RunFolder; spec: RunSpec },
  body: (open: Opened) => Promise<T>,
): Promise<T> {
  const ledger = new Ledger(folder.state, { world: systemWorld });
  let rows: RowsAndPrompt | null = null;
  try {
    rows = await openRowsAndPrompt({ spec, folder, stdin: process.stdin });
    return await body({ folder, spec, ledger, rows });
  } finally {
    await rows?.source.close();
    ledger.close();
  }
}

async function planOpen({ folder, spec, ledger, rows }: Opened): Promise<Read> {
  const sizes = sampler(Math.random);
  let paramsBytes = 0;
  const planned = await planRun({
    folder,
    ledger,
    spec,
    source: rows.source,
    prompt: rows.prompt,
    world: systemWorld,
    // The bytes are the prompt's to use again.
    onRequest: ({ params }) => {
      paramsBytes += params.length;
      sizes.add(params.slice(), params.length);
    },
  });
  return { planned, samples: sizes.samples(), paramsBytes };
}

type Read = { readonly planned: Planned; readonly samples: readonly Uint8Array[]; readonly paramsBytes: number };
type Counted = Omit<Read, 'planned'> & { readonly planned: Exclude<Planned, { kind: 'changed' }> };

async function planOf(
  given: Given,
  { name, spec, ledger, rows }: OpenRun,
  { planned, samples, paramsBytes }: Counted,
): Promise<Plan> {
  const api = countingApi(given, spec);
  try {
    return {
      name,
      facts: planned.facts,
      warnings: rows.prompt.warnings,
      faults: planned.facts.rejected > 0 ? faultsIn(ledger.read) : [],
      sync: spec.batching.sync,
      free: isLocal(spec.api.baseUrl),
      estimate: await estimate({
        facts: planned.facts,
        spec,
        prompt: rows.prompt,
        samples,
        // A plan that was read before is only looked up.
        paramsBytes: paramsBytes || planned.facts.bodyBytes,
        api,
        compare: given.values.compare ?? [],
        nowMs: Date.now(),
        signal: AbortSignal.timeout(COUNTING_MS),
      }),
    };
  } finally {
    await api?.close();
  }
}

/** Counting is free, but a plan must not wait for it. */
const COUNTING_MS = 20_000;

function countingApi(given: Given, { api: { baseUrl } }: RunSpec): ReturnType<typeof httpBatchApi> | null {
  const hasKey = Boolean(given.env.ANTHROPIC_API_KEY ?? given.env.ANTHROPIC_AUTH_TOKEN);
  return isLocal(baseUrl) || !hasKey ? null : httpBatchApi({ baseUrl, ...credentials(given), world: systemWorld });
}

function inputOf({ operands, values }: Given): string | null {
  const input = operands[0] ?? null;
  if (input === null && values.sql === null)
    throw new CommandError(
      exits.usage,
      'no input is named',
      'Name a file first, - for standard input, or a query with --sql: nightshift run rows.csv …',
    );
  return input;
}

function freeName(given: Given, name: string): string {
  if (!given.values.new) return name;
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!existsSync(folderOf(given, candidate).state)) return candidate;
  }
}

const VALUE_SHOWN = 60;

function changed(name: string, changes: readonly SpecChange[]): CommandError {
  const short = (text: string): string => (text.length > VALUE_SHOWN ? `${text.slice(0, VALUE_SHOWN - 1)}…` : text);
  const told = changes.map(
    ({ what, before, after }) => `  ${what.replace(/^prompt\./, '')}: ${short(before)} → ${short(after)}`,
  );
  const ways = [
    `--new         start another run`,
    `--as-started  go on with ${name} as it began`,
    `--only-changed  send only the rows whose request differs`,
  ];
  return new CommandError(
    exits.changed,
    `run ${JSON.stringify(name)} was started otherwise:\n${told.join('\n')}`,
    `one of these:\n  ${ways.join('\n  ')}`,
  );
}
