/** From flags to what a run keeps: plain data in which files are texts and paths are whole. */
import { resolve, basename } from 'node:path';
import { readPromptFlags } from '../../bulk/prompts/read-prompt.ts';
import { SPEC_VERSION, type RunSpec } from '../../bulk/run/spec.ts';
import { outputFormatOf, type OutputFormat } from '../../bulk/sinks/open-sink.ts';
import { ConfigError } from '../../config/read.ts';
import { credentials, fingerprintOf } from './api.ts';
import type { Given } from './read-flags.ts';

export async function specOf(
  given: Given,
  { name, input }: { readonly name: string; readonly input: string | null },
): Promise<RunSpec> {
  const { values } = given;
  checkOutputs(given);
  return {
    version: SPEC_VERSION,
    name,
    createdAtMs: Date.now(),
    input: {
      location: locationOf(input),
      format: values.format,
      sql: values.sql,
      db: values.db,
      idColumn: values.id,
      where: values.where,
      limit: values.limit,
      sample: values.sample,
      seed: values.seed,
      identity: null,
    },
    prompt: await readPromptFlags({
      template: values.template,
      system: values.system,
      params: values.params,
      model: values.model,
      maxTokens: values.maxTokens,
      temperature: values.temperature,
      schema: values.schema,
      toolMode: values.toolMode,
      images: values.image,
      documents: values.document,
      truncate: values.truncate,
      cache: values.cache,
      folder: process.cwd(),
    }),
    policy: {
      retries: values.retries,
      onTruncated: values.onTruncated,
      onInvalid: values.onInvalid,
      onRefusal: values.onRefusal,
      onTooLong: values.onTooLong,
      fallbackSyncAfterMs: values.fallback,
      stopIfErrorRate: values.stopIfErrorRate,
      deadlineMs: values.deadline,
    },
    batching: {
      chunkRequests: values.chunkRequests,
      chunkBytes: values.chunkBytes,
      inFlightRequests: values.inFlightRequests,
      staggerMs: values.stagger,
      warmCache: values.warmCache,
      sync: values.sync,
      dedupe: values.dedupe,
    },
    spend: { maxCostDollars: values.maxCost, canary: values.canary, expectedDollarsPerRequest: null },
    output: {
      location:
        values.out === null || values.out === '-' || values.out.includes(':') ? values.out : resolve(values.out),
      format: values.outFormat,
      join: values.join,
      columns: values.columns,
      order: values.order,
      errors: values.errors === null ? null : resolve(values.errors),
    },
    api: await apiOf(given),
  };
}

async function apiOf(given: Given): Promise<RunSpec['api']> {
  const { values } = given;
  if (values.local) {
    if (values.detach)
      throw new ConfigError(
        '--local and --detach exclude each other',
        'The local server lives in this process: leave --detach out, or start nightshift serve and name it with --base-url.',
      );
    if (
      given.said.has('baseUrl') &&
      values.baseUrl !== 'https://api.anthropic.com' &&
      given.env.ANTHROPIC_BASE_URL === undefined
    )
      throw new ConfigError('--local and --base-url exclude each other', 'Take one of them.');
    const { localBaseUrl } = await import('./local.ts');
    return { baseUrl: localBaseUrl(given), keyFingerprint: null };
  }
  if (values.upstream !== null || values.upstreamModel !== null)
    throw new ConfigError('--upstream goes with --local', 'Add --local, or name a server with --base-url.');
  const isPlan = given.command === 'plan' || values.dryRun;
  const hasKey = Boolean(given.env.ANTHROPIC_API_KEY ?? given.env.ANTHROPIC_AUTH_TOKEN);
  return { baseUrl: values.baseUrl, keyFingerprint: isPlan && !hasKey ? null : fingerprintOf(credentials(given)) };
}

/** Before the run, so that it is not at its end that nothing can be written. */
function checkOutputs({ values }: Given): void {
  for (const target of [values.out, values.errors]) {
    if (target === null) continue;
    try {
      outputFormatOf({
        target,
        format: target === values.out ? (values.outFormat satisfies OutputFormat | null) : null,
      });
    } catch (error) {
      throw new ConfigError((error as Error).message, 'Such as: -o labels.csv');
    }
  }
}

function locationOf(input: string | null): string {
  if (input === null || input === '-') return input ?? '';
  return /^[a-z][a-z0-9+]*:\/\//i.test(input) ? input : resolve(input);
}

/** Of the input without its ending: `reviews.csv.gz` is `reviews`. */
export function nameOf({ values }: Pick<Given, 'values'>, input: string | null): string {
  if (values.name !== null) return values.name;
  if (input === '-') return 'stdin';
  if (input === null) return 'query';
  const base = basename(input.replace(/[?#].*$/s, ''))
    .replace(/\.(gz|zst|zstd)$/i, '')
    .replace(/(?<=.)\.[^.]*$/, '');
  const name = base
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 64);
  return name === '' ? 'run' : name;
}
