/**
 * The bulk client as a library: rows in, answers out, each bought once. Imported as `nightshift/bulk`; nothing of the server comes along.
 *
 *   for await (const result of bulk(client, rows, toParams)) …
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { apiFromClient, type ClientLike } from './api/from-client.ts';
import { Arrivals } from './arrivals.ts';
import type { RunEvent } from './contract.ts';
import { type Estimate, estimate, sampler } from './estimate.ts';
import { type FileInput, openItems, type Items } from './items.ts';
import { Ledger } from './ledger/writer.ts';
import { joinedRows, type JoinParts } from './results/join.ts';
import { spentOf } from './results/spent.ts';
import type { RowFunction } from './prompts/row-function.ts';
import { RunError } from './run/errors.ts';
import { makeFolder, rawPath, readSpec, type RunFolder } from './run/folder.ts';
import { planRun, type PlanFacts } from './run/plan.ts';
import { Run, type RunEnd } from './run/run.ts';
import { chooseAgain } from './run/retry.ts';
import type { RetriableState, RunSpec } from './run/spec.ts';
import { systemWorld } from './run/world.ts';
import { type BulkResult, resultOf } from './result.ts';
import { type OutputSchema, promptOf } from './library-prompt.ts';
import { type BulkOptions, specOf } from './library-spec.ts';
import { amountText } from '../money/words.ts';

export { errorOf } from './results/answer.ts';
export { csv, jsonl, parquet, type FileInput } from './items.ts';
export { RunError } from './run/errors.ts';
export { ApiError, type RunEvent } from './contract.ts';
export type { ClientLike } from './api/from-client.ts';
export type { BulkResult } from './result.ts';
export type { BulkOptions } from './library-spec.ts';
export type { JsonSchema, OutputSchema, StandardSchema } from './library-prompt.ts';

export type Params = Readonly<Record<string, unknown>>;

/** What becomes of an item: params, the text of the message (params come from the options), or null to leave it out. Must be pure. */
export type ToParams<Item> = (
  item: Item,
  at: { readonly seq: number },
) => Params | string | null | Promise<Params | string | null>;

export type BulkPlan = PlanFacts & { readonly estimate: Estimate; readonly warnings: readonly string[] };

export type BulkSummary = RunEnd['counts'] & {
  readonly end: RunEnd['kind'];
  /** As people read it; unknown where a price is. */
  readonly cost: string;
};

export type RetryOptions = {
  readonly only: readonly RetriableState[];
  readonly error?: RegExp;
  readonly params?: { readonly model?: string; readonly max_tokens?: number };
};

// oxlint-disable-next-line max-params -- it reads as the official client's calls do: who, what, how, and the rest
export function bulk<Item, Output = unknown>(
  client: ClientLike,
  items: Iterable<Item> | AsyncIterable<Item> | FileInput,
  toParams: ToParams<Item>,
  options: BulkOptions<Item, Output> = {},
): BulkRun<Item, Output> {
  const folder = makeFolder(
    options.state === undefined ? mkdtempSync(join(tmpdir(), 'nightshift-bulk-')) : resolve(options.state),
  );
  return new BulkRun({ client, items, toParams, options, folder });
}

/** A run that another process began, by its folder. */
bulk.open = function openBulk<Item, Output = unknown>(
  state: string,
  {
    client,
    toParams,
    ...options
  }: BulkOptions<Item, Output> & { readonly client: ClientLike; readonly toParams: ToParams<Item> },
): BulkRun<Item, Output> {
  const folder = makeFolder(resolve(state));
  if (readSpec(folder) === null) throw new RunError('usage', `there is no run in ${folder.path}`);
  return new BulkRun({ client, items: null, toParams, options: { ...options, state }, folder });
};

type Given<Item, Output> = {
  readonly client: ClientLike;
  /** Null: those the run keeps. */
  readonly items: Iterable<Item> | AsyncIterable<Item> | FileInput | null;
  readonly toParams: ToParams<Item>;
  readonly options: BulkOptions<Item, Output>;
  readonly folder: RunFolder;
};

type Opened<Item> = {
  readonly run: Run;
  readonly ledger: Ledger;
  readonly items: Items<Item>;
  readonly plan: BulkPlan;
  readonly parts: JoinParts & { readonly ledger: Ledger['read'] };
};

export class BulkRun<Item, Output> implements AsyncIterable<BulkResult<Item, Output>> {
  /** Its folder; gone with the process where none was named. */
  readonly id: string;
  readonly #given: Given<Item, Output>;
  readonly #listeners = new Set<(event: RunEvent) => void>();
  #opening: Promise<Opened<Item>> | null = null;

  constructor(given: Given<Item, Output>) {
    this.#given = given;
    this.id = given.folder.path;
    if (given.options.onEvent !== undefined) this.#listeners.add(given.options.onEvent);
    given.options.signal?.addEventListener('abort', () => void this.detach(), { once: true });
  }

  /** Reads everything and prices it; spends nothing. */
  async plan(): Promise<BulkPlan> {
    return (await this.#open()).plan;
  }

  /** Resolves when every batch is durably submitted: the process may end, and another goes on. */
  async submit(): Promise<void> {
    const { run } = await this.#open();
    failUnlessWell(await run.start({ until: 'submitted' }));
  }

  async progress(): Promise<ReturnType<Run['status']>> {
    return (await this.#open()).run.status();
  }

  /** What happens from now on, until the run ends or the loop is left. */
  async *events(): AsyncGenerator<RunEvent> {
    const queue = new Queue<RunEvent>();
    const listener = (event: RunEvent): void => queue.push(event);
    this.#listeners.add(listener);
    try {
      for await (const event of queue) {
        yield event;
        if (event.kind === 'done') return;
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Works to the end without a look at the rows. */
  async done(): Promise<BulkSummary> {
    const { run, ledger } = await this.#open();
    const end = await run.start();
    return { ...end.counts, end: end.kind, cost: amountText(spentOf(ledger.read.usage()).cost) };
  }

  /** Results as batches end (`order: 'arrival'`) or in order. Leaving the loop detaches: batches run on, and nothing is lost. */
  async *[Symbol.asyncIterator](): AsyncGenerator<BulkResult<Item, Output>, void> {
    const opened = await this.#open();
    try {
      yield* this.#given.options.order === 'input' ? this.#inOrder(opened) : this.#asTheyCome(opened);
      this.#given.options.signal?.throwIfAborted();
    } finally {
      await opened.run.stop();
    }
  }

  async toArray(): Promise<BulkResult<Item, Output>[]> {
    return await Array.fromAsync(this);
  }

  /** Cancels what is in flight; what was answered before is still fetched by `done` or a loop. */
  async cancel(): Promise<{ readonly batches: number; readonly rows: number }> {
    return await (await this.#open()).run.cancel(this.#given.options.signal ?? new AbortController().signal);
  }

  /** Puts rows that failed back; the next loop, or `done`, sends them. How many. */
  async retry({ only, error, params = {} }: RetryOptions): Promise<number> {
    const { ledger } = await this.#open();
    const { model, max_tokens: maxTokens } = params;
    const change = { ...(model === undefined ? {} : { model }), ...(maxTokens === undefined ? {} : { maxTokens }) };
    return chooseAgain(ledger, { states: only, error: error ?? null, change });
  }

  /** Stops here; batches run on. */
  async detach(): Promise<void> {
    const opened = await this.#opening?.catch(() => null);
    await opened?.run.stop();
  }

  /** Lets go of files and connections. A run without a folder of its own is forgotten. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => null);
    this.#opening = null;
    if (opened !== null && opened !== undefined) {
      await opened.run.stop();
      await opened.items.source.close();
      await opened.run.parts.api.close();
      opened.ledger.close();
    }
    if (this.#given.options.state === undefined) await rm(this.id, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#inOrder({ run, items, parts }: Opened<Item>): AsyncGenerator<BulkResult<Item, Output>> {
    const end = await run.start();
    for await (const group of joinedRows(parts, { order: 'input', lines: true }))
      for (const row of group)
        if (row.state !== 'pending' && row.state !== 'sent') yield resultOf<Item, Output>(row, items.itemOf(row));
    failUnlessWell(end);
  }

  async *#asTheyCome({ run, items, parts }: Opened<Item>): AsyncGenerator<BulkResult<Item, Output>> {
    const arrivals = new Arrivals(parts, { lines: true });
    const batches = new Queue<string>();
    const listener = (event: RunEvent): void => {
      if (event.kind === 'ingested') batches.push(event.batchId);
    };
    this.#listeners.add(listener);
    const ending = run.start().finally(() => batches.end());
    // Told below; until then it is nobody's fault that nobody listens.
    ending.catch(() => undefined);
    try {
      for await (const group of arrivals.ended())
        for (const row of group) yield resultOf<Item, Output>(row, items.itemOf(row));
      for await (const id of batches)
        for await (const group of arrivals.batch(id))
          for (const row of group) yield resultOf<Item, Output>(row, items.itemOf(row));
      const end = await ending;
      for await (const group of arrivals.rest())
        for (const row of group) yield resultOf<Item, Output>(row, items.itemOf(row));
      failUnlessWell(end);
    } finally {
      this.#listeners.delete(listener);
    }
  }

  #open(): Promise<Opened<Item>> {
    this.#opening ??= this.#begin();
    return this.#opening;
  }

  async #begin(): Promise<Opened<Item>> {
    const { client, toParams, options, folder } = this.#given;
    const api = apiFromClient(client, systemWorld);
    const ledger = new Ledger(folder.state, { world: systemWorld });
    try {
      const items = await openItems<Item>(this.#given.items, {
        folder,
        kept: readSpec(folder)?.input.location ?? null,
      });
      const asked = specOf(options, {
        name: folder.path,
        baseUrl: client.baseURL ?? null,
        location: items.location,
        toParams: String(toParams),
      });
      const rowFunction: RowFunction = (row, at) => toParams(items.itemIn(row), at);
      const prompt = await promptOf(asked, {
        columns: items.source.columns,
        rowFunction,
        schema: options.schema as OutputSchema<Output> | undefined,
        keyOf: keyOf(options, items),
      });
      const sizes = sampler(Math.random);
      let paramsBytes = 0;
      const planned = await planRun({
        folder,
        ledger,
        spec: asked,
        source: items.source,
        prompt,
        world: systemWorld,
        onEvent: (event) => this.#tell(event),
        onRequest: ({ params }) => {
          paramsBytes += params.length;
          sizes.add(params.slice(), params.length);
        },
      });
      if (planned.kind === 'changed') throw changed(planned.changes);
      const spec: RunSpec = { ...asked, input: planned.spec.input };
      const guess = await estimate({
        facts: planned.facts,
        spec,
        prompt,
        samples: sizes.samples(),
        paramsBytes: paramsBytes || planned.facts.bodyBytes,
        api: null,
        compare: [],
        nowMs: Date.now(),
        signal: options.signal ?? new AbortController().signal,
      });
      const each = guess.expectedDollars === null ? null : guess.expectedDollars / Math.max(1, planned.facts.requests);
      const priced = { ...spec, spend: { ...spec.spend, expectedDollarsPerRequest: each } };
      const run = new Run({
        folder,
        spec: priced,
        ledger,
        source: items.source,
        prompt,
        api,
        world: systemWorld,
        onEvent: (event) => this.#tell(event),
      });
      const parts = { ledger: ledger.read, source: items.source, prompt, rawPath: (id: string) => rawPath(folder, id) };
      return { run, ledger, items, plan: { ...planned.facts, estimate: guess, warnings: prompt.warnings }, parts };
    } catch (error) {
      ledger.close();
      await api.close();
      throw error;
    }
  }

  #tell(event: RunEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function keyOf<Item, Output>(
  { key }: BulkOptions<Item, Output>,
  items: Items<Item>,
): ((row: Readonly<Record<string, unknown>>) => string) | null {
  return key === undefined ? null : (row) => String(key(items.itemIn(row)));
}

function changed(changes: readonly { readonly what: string }[]): RunError {
  return new RunError('changed', `the run was started with another ${changes.map(({ what }) => what).join(', ')}`);
}

/** A loop that ends early must not look like one that is through. */
function failUnlessWell(end: RunEnd): void {
  if (end.kind !== 'halted') return;
  const { why, counts } = end;
  throw new RunError(
    why.kind === 'blocked' ? 'authentication' : 'credit',
    `${why.message}; ${counts.pending} rows are pending`,
  );
}

/** What one side pushes and the other takes, in order. */
class Queue<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  #ended = false;
  #wake: (() => void) | null = null;

  push(value: T): void {
    this.#waiting.push(value);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const values = this.#waiting;
      this.#waiting = [];
      yield* values;
      if (this.#waiting.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolveWake) => (this.#wake = resolveWake));
    }
  }
}
