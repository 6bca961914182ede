/** What a planned run will take, in tokens and money, and what could be done better; nothing is spent to find out. */
import type { BatchApi, Prompt } from './contract.ts';
import { MAX_TOKENS_DEFAULT } from './limits.ts';
import { planAdvice } from './plan/advice.ts';
import { type CostLine, costLines, inDollars, outputTokens } from './plan/cost.ts';
import { prefixAdvice, sharedPrefix } from './plan/prefix.ts';
import { countSamples, guessedTokens, SizeSampler, sureness, type TokenRange, tokensFor } from './plan/tokens.ts';
import type { PlanFacts } from './run/plan.ts';
import type { RunSpec } from './run/spec.ts';

export type Estimate = {
  readonly input: TokenRange;
  readonly output: TokenRange;
  readonly maxTokens: number;
  /** How the tokens of the input are known. */
  readonly sureness: string;
  /** Of the run's own model first. */
  readonly costs: readonly CostLine[];
  /** As it will be bought; null without a price. */
  readonly expectedDollars: number | null;
  readonly worstDollars: number | null;
  readonly advice: readonly string[];
};

export type EstimateQuestion = {
  readonly facts: PlanFacts;
  readonly spec: RunSpec;
  readonly prompt: Prompt;
  readonly samples: readonly Uint8Array[];
  /** Of all requests' params together. */
  readonly paramsBytes: number;
  /** Counts tokens; null: they are guessed. */
  readonly api: BatchApi | null;
  readonly compare: readonly string[];
  /** Lengths of answers seen already. */
  readonly seen?: readonly number[];
  readonly nowMs: number;
  readonly signal: AbortSignal;
};

export async function estimate(question: EstimateQuestion): Promise<Estimate> {
  const { facts, spec, prompt, samples, paramsBytes, api, compare, nowMs, signal, seen = [] } = question;
  const count =
    api === null ? null : (params: Uint8Array, by: AbortSignal) => api.countTokens(params, by).catch(() => null);
  const model = count === null ? guessedTokens : await countSamples({ samples, count, signal });
  const { requests } = facts;
  // What is counted is fitted to whole params; a guess is about the text in them.
  const bytes = model.samples > 0 ? paramsBytes : paramsBytes * textShare(samples);
  const input = tokensFor(model, { requests, bytes });
  const maxTokens = prompt.maxTokens ?? maxTokensIn(samples) ?? MAX_TOKENS_DEFAULT;
  const output = outputTokens({ requests, maxTokens, seen });
  const named = prompt.model ?? modelIn(samples) ?? 'unknown';
  const shared = sharedPrefix(samples);
  const marked = spec.prompt.cache !== 'off';
  const costs = costLines({
    models: [named, ...compare],
    requests,
    input,
    output,
    outputMax: requests * maxTokens,
    sharedTokens: marked && requests > 1 ? shared.tokens : 0,
    ttl: spec.prompt.cache === '5m' ? '5m' : '1h',
    atMs: nowMs,
  });
  const bought = boughtAs(costs, { model: named, sync: spec.batching.sync });
  const prefix = prefixAdvice({ shared, model: named, requests, marked, atMs: nowMs });
  return {
    input,
    output,
    maxTokens,
    sureness: sureness(model),
    costs,
    expectedDollars: bought?.expected == null ? null : inDollars(bought.expected),
    worstDollars: bought?.worst == null ? null : inDollars(bought.worst),
    advice: [...planAdvice({ requests, sync: spec.batching.sync }), ...(prefix === null ? [] : [prefix])],
  };
}

/** The cache is a hope; what is bought for sure is the batch. */
function boughtAs(costs: readonly CostLine[], { model, sync }: { model: string; sync: boolean }): CostLine | undefined {
  return costs.find((line) => line.model === model && line.how === (sync ? 'standard' : 'batch'));
}

/** Where rows are requests already, the first tells. */
function modelIn(samples: readonly Uint8Array[]): string | null {
  const model = samples[0] === undefined ? null : membersOf(samples[0]).model;
  return typeof model === 'string' ? model : null;
}

/** The largest: what is told is what it may cost at most. */
function maxTokensIn(samples: readonly Uint8Array[]): number | null {
  const all = samples.map((params) => membersOf(params).max_tokens).filter((value) => typeof value === 'number');
  return all.length === 0 ? null : Math.max(...all);
}

function membersOf(params: Uint8Array): { readonly model?: unknown; readonly max_tokens?: unknown } {
  return JSON.parse(Buffer.from(params).toString()) as { model?: unknown; max_tokens?: unknown };
}

/** Of the bytes of params, those a model reads as text. */
function textShare(samples: readonly Uint8Array[]): number {
  const all = samples.reduce((sum, { length }) => sum + length, 0);
  const text = samples.reduce((sum, params) => sum + textBytes(JSON.parse(Buffer.from(params).toString())), 0);
  return all === 0 ? 1 : text / all;
}

const PROMPT_MEMBERS = ['system', 'messages', 'tools', 'output_config'];

function textBytes(params: Readonly<Record<string, unknown>>): number {
  return PROMPT_MEMBERS.reduce((sum, name) => sum + leafBytes(params[name]), 0);
}

function leafBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, part) => sum + leafBytes(part), 0);
}

/** Keeps some requests of all sizes while a plan reads them. */
export function sampler(random: () => number): SizeSampler<Uint8Array> {
  return new SizeSampler<Uint8Array>(random);
}
