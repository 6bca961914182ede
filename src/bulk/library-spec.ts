/** What a program may say about a run, and the same as what a run keeps. */
import { ANTHROPIC_URL } from './api/api.ts';
import type { RunEvent } from './contract.ts';
import { isStandard, type OutputSchema } from './library-prompt.ts';
import {
  defaultBatching,
  defaultPolicy,
  defaultSpend,
  type PolicySpec,
  type RunSpec,
  SPEC_VERSION,
} from './run/spec.ts';

export type BulkOptions<Item, Output> = {
  /** The folder of the run: with one, the same call in another process goes on. Without, it lives as long as this process. */
  readonly state?: string;
  /** What a person knows an item by; its number from 1 where there is none. */
  readonly key?: (item: Item) => string | number;
  /** What an answer must fit: a JSON Schema, which is asked for, too, or a Standard Schema, which checks. */
  readonly schema?: OutputSchema<Output>;
  /** For params that lack them. */
  readonly model?: string;
  readonly maxTokens?: number;
  readonly system?: string;
  readonly chunk?: { readonly requests?: number; readonly bytes?: number };
  readonly retries?: number;
  readonly budget?: { readonly usd: number };
  readonly order?: 'arrival' | 'input';
  readonly on?: {
    readonly truncated?: PolicySpec['onTruncated'];
    readonly invalid?: PolicySpec['onInvalid'];
    readonly refusal?: PolicySpec['onRefusal'];
  };
  readonly cache?: RunSpec['prompt']['cache'];
  /** No batches: by the Messages API. */
  readonly sync?: boolean;
  readonly dedupe?: boolean;
  /** Detaches: batches run on. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
};

type Known = {
  readonly name: string;
  readonly baseUrl: string | null;
  readonly location: string;
  readonly toParams: string;
};

export function specOf<Item, Output>(
  options: BulkOptions<Item, Output>,
  { name, baseUrl, location, toParams }: Known,
): RunSpec {
  const { schema, chunk = {}, on = {} } = options;
  return {
    version: SPEC_VERSION,
    name,
    createdAtMs: Date.now(),
    input: {
      location,
      format: null,
      sql: null,
      db: null,
      idColumn: null,
      where: null,
      limit: null,
      sample: null,
      seed: null,
      identity: null,
    },
    prompt: {
      kind: 'function',
      template: toParams,
      file: null,
      system: options.system ?? null,
      params: {},
      model: options.model ?? null,
      maxTokens: options.maxTokens ?? null,
      temperature: null,
      // A schema that is code cannot be kept; that there is one can.
      schema:
        schema === undefined ? null : isStandard(schema) ? { standardSchema: schema['~standard'].vendor } : schema,
      schemaMode: 'format',
      images: [],
      documents: [],
      truncate: [],
      cache: options.cache ?? 'auto',
    },
    policy: {
      ...defaultPolicy,
      retries: options.retries ?? defaultPolicy.retries,
      onTruncated: on.truncated ?? defaultPolicy.onTruncated,
      onInvalid: on.invalid ?? defaultPolicy.onInvalid,
      onRefusal: on.refusal ?? defaultPolicy.onRefusal,
    },
    batching: {
      ...defaultBatching,
      chunkRequests: chunk.requests ?? null,
      chunkBytes: chunk.bytes ?? null,
      sync: options.sync ?? false,
      dedupe: options.dedupe ?? true,
    },
    spend: { ...defaultSpend, maxCostDollars: options.budget?.usd ?? null },
    output: {
      location: null,
      format: null,
      join: true,
      columns: null,
      order: options.order ?? 'arrival',
      errors: null,
    },
    api: { baseUrl: (baseUrl ?? ANTHROPIC_URL).replace(/\/+$/, ''), keyFingerprint: null },
  };
}
