/** What a test upstream remembers: how often each row was asked and answered, and what the requests looked like. */

import { createHash } from 'node:crypto';
import type { FaultKind, WindowKind } from './upstream-profile.ts';

export interface RowRecord {
  /** Calls whose whole body arrived. */
  calls: number;
  /** Whole 200 answers that were handed to the network. */
  answers: number;
  /** By the wall clock, so that another process can compare it. */
  readonly firstCallAtMs: number;
  /** SHA-256 (hex) of each different body seen, at most `HASHES_PER_ROW_MAX`; empty unless bodies are hashed. */
  readonly hashes: string[];
}

export interface UpstreamStats {
  readonly calls: number;
  readonly answers: number;
  readonly inFlight: number;
  readonly inFlightMax: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly windowCalls: Readonly<Partial<Record<WindowKind, number>>>;
  readonly callsOutsideWindows: number;
  /** Connections that went away before their answer was written, for whatever reason. */
  readonly cutOff: number;
  readonly connections: number;
  /** All null unless rows are recorded. */
  readonly rowsSeen: number | null;
  readonly rowsAnswered: number | null;
  readonly rowsCalledAgain: number | null;
  readonly rowsAnsweredAgain: number | null;
  /** Calls without a marker, or beyond the rows that are kept. */
  readonly callsWithoutRow: number | null;
}

/** Some rows by their numbers: a million of them are too many for one message. */
export interface RowRange {
  readonly from: number;
  readonly count: number;
}

/** Names and values as they came, in their order and case. */
export type HeaderList = readonly (readonly [string, string])[];

export interface CapturedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly bodyBase64: string;
}

export interface UpstreamLast {
  /** Headers of the newest request. */
  readonly headers: HeaderList;
  /** The first requests since start or reset, whole. */
  readonly requests: readonly CapturedRequest[];
}

const ROWS_MAX = 2_000_000;
const HASHES_PER_ROW_MAX = 4;
const CAPTURED_BYTES_MAX = 64 * 1024 * 1024;

export interface RecordOptions {
  /** Count calls and answers per `row-<digits>`. */
  readonly record: boolean;
  readonly hashBodies: boolean;
  /** Whole requests kept for `last`. */
  readonly captureMax: number;
}

export class UpstreamRecord {
  readonly #options: RecordOptions;
  readonly #rows = new Map<string, RowRecord>();
  #callsWithoutRow = 0;
  #rowsAnswered = 0;
  #rowsCalledAgain = 0;
  #rowsAnsweredAgain = 0;
  #lastRawHeaders: readonly string[] = [];
  #captured: CapturedRequest[] = [];
  #capturedBytes = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
  }

  called(input: { readonly row: string | null; readonly body: Buffer }): void {
    if (!this.#options.record) return;
    const record = input.row === null ? null : this.#rowOf(input.row);
    if (record === null) {
      this.#callsWithoutRow += 1;
      return;
    }
    record.calls += 1;
    if (record.calls === 2) this.#rowsCalledAgain += 1;
    if (!this.#options.hashBodies || record.hashes.length >= HASHES_PER_ROW_MAX) return;
    const hash = createHash('sha256').update(input.body).digest('hex');
    if (!record.hashes.includes(hash)) record.hashes.push(hash);
  }

  answered(row: string | null): void {
    const record = row === null ? undefined : this.#rows.get(row);
    if (record === undefined) return;
    record.answers += 1;
    if (record.answers === 1) this.#rowsAnswered += 1;
    if (record.answers === 2) this.#rowsAnsweredAgain += 1;
  }

  capture(input: {
    readonly method: string;
    readonly url: string;
    readonly rawHeaders: readonly string[];
    readonly body: Buffer;
  }): void {
    this.#lastRawHeaders = input.rawHeaders;
    if (this.#captured.length >= this.#options.captureMax) return;
    if (this.#capturedBytes + input.body.length > CAPTURED_BYTES_MAX) return;
    this.#capturedBytes += input.body.length;
    const { method, url } = input;
    this.#captured.push({ method, url, headers: pairs(input.rawHeaders), bodyBase64: input.body.toString('base64') });
  }

  last(): UpstreamLast {
    return { headers: pairs(this.#lastRawHeaders), requests: this.#captured };
  }

  rows(range: RowRange | null): Readonly<Record<string, RowRecord>> {
    if (range === null) return Object.fromEntries(this.#rows);
    const names = Array.from({ length: range.count }, (_, at) => `row-${range.from + at}`);
    return Object.fromEntries(names.flatMap((name) => (this.#rows.has(name) ? [[name, this.#rows.get(name)!]] : [])));
  }

  counts(): Pick<
    UpstreamStats,
    'rowsSeen' | 'rowsAnswered' | 'rowsCalledAgain' | 'rowsAnsweredAgain' | 'callsWithoutRow'
  > {
    if (!this.#options.record) {
      return {
        rowsSeen: null,
        rowsAnswered: null,
        rowsCalledAgain: null,
        rowsAnsweredAgain: null,
        callsWithoutRow: null,
      };
    }
    return {
      rowsSeen: this.#rows.size,
      rowsAnswered: this.#rowsAnswered,
      rowsCalledAgain: this.#rowsCalledAgain,
      rowsAnsweredAgain: this.#rowsAnsweredAgain,
      callsWithoutRow: this.#callsWithoutRow,
    };
  }

  #rowOf(row: string): RowRecord | null {
    const known = this.#rows.get(row);
    if (known !== undefined) return known;
    if (this.#rows.size >= ROWS_MAX) return null;
    const record: RowRecord = { calls: 0, answers: 0, firstCallAtMs: Date.now(), hashes: [] };
    this.#rows.set(row, record);
    return record;
  }
}

function pairs(rawHeaders: readonly string[]): HeaderList {
  const list: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) list.push([rawHeaders[at], rawHeaders[at + 1]]);
  return list;
}
