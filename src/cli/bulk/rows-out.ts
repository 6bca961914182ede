/** Joined rows to where they are wanted: files once a run is finished, standard output as batches end. */
import { join } from 'node:path';
import { Arrivals } from '../../bulk/arrivals.ts';
import type { ItemState, OutputRow, Sink } from '../../bulk/contract.ts';
import type { LedgerReader } from '../../bulk/ledger/ledger.ts';
import { type Exported, exportRows, failedStates } from '../../bulk/results/export.ts';
import { joinedRows, type JoinParts } from '../../bulk/results/join.ts';
import type { RowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import { rawPath, type RunFolder } from '../../bulk/run/folder.ts';
import type { OutputSpec, RunSpec } from '../../bulk/run/spec.ts';
import { openSink, outputFormatOf, type OutputFormat } from '../../bulk/sinks/open-sink.ts';

export type Export = {
  readonly name: string;
  readonly folder: RunFolder;
  readonly spec: RunSpec;
  readonly ledger: LedgerReader;
  readonly rows: RowsAndPrompt;
};

export function joinParts({ folder, ledger, rows: { source, prompt } }: Export, joined: boolean): JoinParts {
  return { ledger, source: joined ? source : null, prompt, rawPath: (id) => rawPath(folder, id) };
}

/** The output with every row, and the copy of those that failed. Null where rows go to standard output. */
export async function writeOutputs(one: Export, output: OutputSpec): Promise<Exported | null> {
  const targets = [];
  if (output.location !== null && output.location !== '-')
    targets.push({ sink: await sinkFor(one, output, output.location), states: null });
  if (output.errors !== null)
    targets.push({ sink: await sinkFor(one, { ...output, format: null }, output.errors), states: failedStates });
  if (targets.length === 0) return null;
  return await exportRows(joinedRows(joinParts(one, true), { order: output.order, lines: isRaw(output) }), targets);
}

/** `results`: rows in some states, to a file or to standard output. */
export async function exportTo(
  one: Export,
  output: OutputSpec,
  states: readonly ItemState[] | null,
): Promise<Exported> {
  const sink = await sinkFor(one, output, output.location ?? '-');
  const query = { order: output.order, states, lines: isRaw(output) };
  return await exportRows(joinedRows(joinParts(one, output.join), query), [{ sink, states: null }]);
}

function isRaw({ location, format }: OutputSpec): boolean {
  return outputFormatOf({ target: location ?? '-', format: format as OutputFormat | null }) === 'raw';
}

async function sinkFor(
  { name, folder, spec, rows: { source } }: Export,
  { format, join: joined, columns }: OutputSpec,
  target: string,
): Promise<Sink> {
  return await openSink({
    target,
    format: format as OutputFormat | null,
    run: name,
    spill: join(folder.path, 'spill'),
    stdout: process.stdout,
    columns: columns === null ? source.columns : columns,
    join: joined,
    keyColumn: keyColumnOf(spec, source.columns),
    outputs: outputsOf(spec.prompt.schema),
  });
}

/** As the prompt finds the key of a row. */
function keyColumnOf({ input }: RunSpec, columns: readonly string[] | null): string | null {
  if (input.idColumn !== null) return input.idColumn;
  return ['id', 'custom_id'].find((name) => columns?.includes(name) === true) ?? null;
}

function outputsOf(schema: unknown): readonly string[] | null {
  if (schema === null || schema === undefined) return null;
  const properties = (schema as { properties?: unknown }).properties;
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}

/** Rows as they come, to standard output. */
export class Follower {
  readonly #arrivals: Arrivals;
  readonly #sink: Sink;
  #last: Promise<void> = Promise.resolve();

  static async open(one: Export, output: OutputSpec, states?: readonly ItemState[]): Promise<Follower> {
    const sink = await sinkFor(one, { ...output, format: output.format ?? 'jsonl' }, '-');
    const parts = { ...joinParts(one, output.join), ledger: one.ledger };
    return new Follower(
      new Arrivals(parts, { lines: isRaw(output), ...(states === undefined ? {} : { states }) }),
      sink,
    );
  }

  private constructor(arrivals: Arrivals, sink: Sink) {
    this.#arrivals = arrivals;
    this.#sink = sink;
  }

  /** What was there before: each start tells every row, so that its output is whole. */
  begin(): Promise<void> {
    return this.#write(() => this.#arrivals.ended());
  }

  batch(batchId: string): Promise<void> {
    return this.#write(() => this.#arrivals.batch(batchId));
  }

  async end(): Promise<void> {
    await this.#write(() => this.#arrivals.rest());
    await this.#sink.finish();
  }

  /** One after the other, and a failure ends all that would follow. */
  #write(groups: () => AsyncIterable<readonly OutputRow[]>): Promise<void> {
    this.#last = this.#last.then(async () => {
      for await (const group of groups()) await this.#sink.write(group);
    });
    return this.#last;
  }
}
