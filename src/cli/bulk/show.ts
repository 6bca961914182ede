/** `nightshift show RUN KEY`: one row with all that is known of it: its request, every attempt, and its answer as it came. */
import type { Item, SourceRow } from '../../bulk/contract.ts';
import type { LedgerReader } from '../../bulk/ledger/ledger.ts';
import { openRowsAndPrompt, type RowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import { readRawLine } from '../../bulk/results/raw.ts';
import { rawPath } from '../../bulk/run/folder.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { painter, print, printJson } from './talk.ts';
import { findRun, withLedger, type FoundRun } from './where.ts';

export async function show(given: Given): Promise<Exit> {
  const { operands } = given;
  const [key, name] = operands.length === 1 ? [operands[0]!, undefined] : [operands[1]!, operands[0]];
  const found = findRun({ ...given, operands: [] }, name);
  const rows = await openRowsAndPrompt({ ...found, stdin: process.stdin });
  try {
    return await withLedger(found, async (ledger) => {
      const items = ledger.itemsByKey(key);
      if (items.length === 0)
        throw new CommandError(
          exits.usage,
          `${found.name} has no row ${JSON.stringify(key)}`,
          'A row is named by its id column, or by its number from 1.',
        );
      for (const item of items) tell(given, await storyOf(item, { found, ledger, rows }));
      return exits.done;
    });
  } finally {
    await rows.source.close();
  }
}

type Story = {
  readonly run: string;
  readonly key: string;
  readonly row: number;
  readonly line: number | null;
  readonly state: string;
  readonly same_as_row: number | null;
  readonly fault: string | null;
  readonly input: unknown;
  readonly request: unknown;
  readonly attempts: readonly {
    readonly attempt: number;
    readonly state: string;
    readonly batch: string | null;
    readonly error: unknown;
    readonly result: unknown;
  }[];
};

type Context = { readonly found: FoundRun; readonly ledger: LedgerReader; readonly rows: RowsAndPrompt };

async function storyOf(item: Item, { found, ledger, rows }: Context): Promise<Story> {
  const owner = item.sameAs === null ? item : (ledger.item(item.sameAs) ?? item);
  const input = await rowOf(item, rows);
  const attempts = await Promise.all(
    attemptsWithLast(owner, ledger).map(async ({ attempt, state, raw, error }) => ({
      attempt,
      state,
      batch: raw?.batchId ?? null,
      error,
      result:
        raw === null
          ? null
          : JSON.parse((await readRawLine({ path: rawPath(found.folder, raw.batchId), place: raw })).toString('utf8')),
    })),
  );
  return {
    run: found.name,
    key: item.key,
    row: item.seq + 1,
    line: item.place.line,
    state: item.state,
    same_as_row: item.sameAs === null ? null : item.sameAs + 1,
    fault: item.fault,
    input: input?.row ?? null,
    request: input === null || input.fault !== null ? null : await requestOf(input, rows),
    attempts,
  };
}

function attemptsWithLast(item: Item, ledger: LedgerReader): ReturnType<LedgerReader['attemptsOf']> {
  return ledger.attemptsOf(item.seq);
}

async function rowOf({ seq, place }: Item, { source }: RowsAndPrompt): Promise<SourceRow | null> {
  for await (const row of source.read([{ seq, place }])) return row;
  return null;
}

async function requestOf(row: SourceRow & { readonly fault: null }, { prompt }: RowsAndPrompt): Promise<unknown> {
  const rendered = await prompt.render(row);
  if (rendered.kind === 'request') return JSON.parse(Buffer.from(rendered.params).toString('utf8'));
  return rendered.kind === 'rejected' ? { rejected: rendered.reason } : null;
}

function tell(given: Given, story: Story): void {
  if (given.values.json) return printJson(story);
  const paint = painter(given, process.stdout);
  const part = (head: string, value: unknown): void => {
    print(paint(head, 'bold'));
    print(JSON.stringify(value, null, 2).replaceAll(/^/gm, '  '));
  };
  const same = story.same_as_row === null ? '' : `, the same request as row ${story.same_as_row}`;
  print(
    `${paint(story.key, 'bold')}  ${story.state}  row ${story.row}${story.line === null ? '' : `, line ${story.line}`}${same}`,
  );
  if (story.fault !== null) print(`  ${story.fault}`);
  part('input', story.input);
  part('request', story.request);
  for (const { attempt, state, batch, error, result } of story.attempts)
    part(`attempt ${attempt}: ${state}${batch === null ? '' : ` in ${batch}`}`, result ?? error);
}
