/** What a run was told to do, as plain data: frozen in spec.json when it is planned, so that a resume needs no flags and a change is seen. */
import type { Change, Cut, SourceIdentity } from '../contract.ts';

export const SPEC_VERSION = 1;

export type RunSpec = {
  readonly version: typeof SPEC_VERSION;
  readonly name: string;
  readonly createdAtMs: number;
  readonly input: InputSpec;
  readonly prompt: PromptSpec;
  readonly policy: PolicySpec;
  readonly batching: BatchingSpec;
  readonly spend: SpendSpec;
  readonly output: OutputSpec;
  readonly api: ApiSpec;
};

export type InputSpec = {
  /** A path made absolute, an address, `-` for what was spooled from stdin, or `memory` for rows a program gave. */
  readonly location: string;
  readonly format: string | null;
  readonly sql: string | null;
  readonly db: string | null;
  readonly idColumn: string | null;
  readonly where: string | null;
  readonly limit: number | null;
  readonly sample: number | null;
  readonly seed: number | null;
  /** What the input was when the run was planned; null until then. */
  readonly identity: SourceIdentity | null;
};

export type PromptSpec = {
  /** Texts, not paths: a template edited since is a change that shows. `passthrough`: rows are requests already. */
  readonly kind: 'template' | 'liquid' | 'function' | 'passthrough';
  readonly template: string | null;
  /** Where the template was read from, for messages; for a function, its module. */
  readonly file: string | null;
  readonly system: string | null;
  readonly params: Readonly<Record<string, unknown>>;
  readonly model: string | null;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly schema: unknown;
  readonly schemaMode: 'format' | 'tool';
  readonly images: readonly string[];
  readonly documents: readonly string[];
  readonly truncate: readonly Cut[];
  readonly cache: 'auto' | '5m' | '1h' | 'off';
};

export type PolicySpec = {
  /** New attempts for a row that failed through no fault of its own. */
  readonly retries: number;
  readonly onTruncated: 'grow' | 'keep' | 'fail';
  readonly onInvalid: 'reask' | 'keep' | 'fail';
  readonly onRefusal: 'keep' | 'fail';
  /** Cuts for rows the API calls too long, tried once; none: such a row is rejected. */
  readonly onTooLong: readonly Cut[];
  /** Ask the Messages API, at full price, for what is still waiting so long after the first submission; null: never. */
  readonly fallbackSyncAfterMs: number | null;
  /** Stop submitting when more than this share of answers are errors; null: never. */
  readonly stopIfErrorRate: number | null;
  /** After this long, rows that expire are given up; null: asked again without end. */
  readonly deadlineMs: number | null;
};

export type BatchingSpec = {
  readonly chunkRequests: number | null;
  readonly chunkBytes: number | null;
  readonly inFlightRequests: number | null;
  readonly staggerMs: number | null;
  readonly warmCache: 'auto' | 'off';
  /** No batches at all: every row by the Messages API. */
  readonly sync: boolean;
  readonly dedupe: boolean;
};

export type SpendSpec = {
  readonly maxCostDollars: number | null;
  /** Rows asked by the Messages API before anything is submitted. */
  readonly canary: number;
  /** What the plan expects of one request in a batch; null when no price is known. */
  readonly expectedDollarsPerRequest: number | null;
};

export type OutputSpec = {
  readonly location: string | null;
  readonly format: string | null;
  readonly join: boolean;
  readonly columns: readonly string[] | null;
  readonly order: 'input' | 'arrival';
  readonly errors: string | null;
};

export type ApiSpec = {
  readonly baseUrl: string;
  /** A digest of the key, never the key: another workspace would not see our batches. */
  readonly keyFingerprint: string | null;
};

export const defaultPolicy: PolicySpec = {
  retries: 3,
  onTruncated: 'grow',
  onInvalid: 'reask',
  onRefusal: 'keep',
  onTooLong: [],
  fallbackSyncAfterMs: null,
  stopIfErrorRate: null,
  deadlineMs: null,
};

export const defaultBatching: BatchingSpec = {
  chunkRequests: null,
  chunkBytes: null,
  inFlightRequests: null,
  staggerMs: null,
  warmCache: 'off',
  sync: false,
  dedupe: true,
};

export const defaultSpend: SpendSpec = { maxCostDollars: null, canary: 0, expectedDollarsPerRequest: null };

export type SpecChange = { readonly what: string; readonly before: string; readonly after: string };

/** What of the input and the request differs between a frozen spec and one asked for now; how the run is driven may change freely. */
export function specChanges(frozen: RunSpec, now: RunSpec): readonly SpecChange[] {
  const changes: SpecChange[] = [];
  const { identity: wasInput, ...inputBefore } = frozen.input;
  const { identity: isInput, ...inputAfter } = now.input;
  compare('input', { before: inputBefore, after: inputAfter }, changes);
  if (wasInput !== null && isInput !== null) {
    compare('the input', { before: wasInput, after: isInput }, changes);
  }
  // Where a template lies does not matter; what it says does.
  compare('prompt', { before: { ...frozen.prompt, file: null }, after: { ...now.prompt, file: null } }, changes);
  compare('base URL', { before: frozen.api.baseUrl, after: now.api.baseUrl }, changes);
  return changes;
}

function compare(what: string, { before, after }: { before: unknown; after: unknown }, into: SpecChange[]): void {
  if (isRecord(before) && isRecord(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(`${what}.${name}`, { before: before[name], after: after[name] }, into);
    }
    return;
  }
  const [left, right] = [text(before), text(after)];
  if (left !== right) into.push({ what, before: left, after: right });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value);
}

/** What `retry` changes for the rows it chooses. */
export type RetryRequest = {
  readonly states: readonly RetriableState[];
  /** Only rows whose last error matches. */
  readonly error: RegExp | null;
  readonly change: Omit<Change, 'reask'>;
};

export type RetriableState =
  | 'errored'
  | 'expired'
  | 'truncated'
  | 'invalid'
  | 'refused'
  | 'rejected'
  | 'canceled'
  | 'missing'
  | 'incomplete';
