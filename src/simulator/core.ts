/** What both faces of the simulator share: one prompt in, a reply or a fault out, with its tokens and its times. */
import { SIMULATED_COUNTS_MAX } from '../domain/limits.ts';
import { hashBytes, lanesOfSeed, startDraw } from './draw.ts';
import { drawId } from './drawn-id.ts';
import { invalid, notFound, type Fault } from './faults.ts';
import { cachedTokensMinOf } from './models.ts';
import { createGate, profiles, type Pace, type ProfileName } from './profile.ts';
import { readPromptBlocks, type PromptBlock } from './prompt-blocks.ts';
import { PromptCache, uncached } from './prompt-cache.ts';
import { allOfLastUserText, type Prompt, type ReadPrompt } from './prompt.ts';
import type { PromptUsage } from './render.ts';
import { composeReply, type Reply } from './reply.ts';
import { mayTrigger, readTriggers, type Triggers } from './triggers.ts';

export type SimulatorOptions = {
  readonly seed: number | string;
  /** How the provider behaves; steady, the default, answers at once and never fails. */
  readonly profile?: ProfileName;
  /** The models there are; null, the default, is every name. */
  readonly models?: readonly string[] | null;
  /** The median time a whole answer takes, in place of the profile's pace; 0, the default, leaves it to the profile. */
  readonly latencyMs?: number;
  /** The spread of a lognormal around the median; 0, the default, makes every answer take the median. */
  readonly latencySigma?: number;
  /** The time, for caches and limits; the simulator itself never waits. */
  readonly nowMs?: () => number;
};

export type Question = {
  /** The very bytes, from which everything is drawn. */
  readonly body: Uint8Array;
  readonly read: () => ReadPrompt;
};

export type Answered = {
  readonly kind: 'reply';
  readonly requestId: string;
  readonly prompt: Prompt;
  readonly reply: Reply;
  readonly usage: PromptUsage;
  readonly headers: Readonly<Record<string, string>> | null;
  /** From the request to the first token, and to the last. */
  readonly firstMs: number;
  readonly wholeMs: number;
  /** What happens to the answer on its way. */
  readonly fault: Fault | null;
};

export type Asked =
  | Answered
  | { readonly kind: 'fault'; readonly requestId: string; readonly fault: Fault; readonly latencyMs: number };

export type Core = {
  readonly models: readonly string[] | null;
  ask(question: Question): Asked;
  /** Null where the model exists. */
  refuseModel(model: string): Fault | null;
};

/** Of a whole answer's time so much passes before its first token. */
const FIRST_TOKEN_SHARE = 0.25;
const CACHE_WORD = 'cache_control"';

export function createCore(options: SimulatorOptions): Core {
  const seed = lanesOfSeed(options.seed);
  const profile = profiles[options.profile ?? 'steady'];
  const nowMs = options.nowMs ?? (() => 0);
  const models = options.models ?? null;
  const gate = createGate(profile, seed);
  const cache = new PromptCache();
  const counts = new Counts();

  const refuseModel = (model: string): Fault | null =>
    models === null || models.includes(model) ? null : notFound(`model: ${model}`);

  function ask({ body, read }: Question): Asked {
    const draw = startDraw(hashBytes(body, seed));
    // The latency is drawn first, and always: a change of latency must not change the texts.
    const deviation = draw.normal();
    const requestId = drawId('req', draw);
    const fail = (fault: Fault, latencyMs = 0): Asked => ({ kind: 'fault', requestId, fault, latencyMs });

    const prompt = read();
    if (prompt.kind === 'invalid') return fail(invalid(prompt.message));
    const wrongModel = refuseModel(prompt.model);
    if (wrongModel !== null) return fail(wrongModel);
    const marked = blocksOf(prompt);
    if (marked?.kind === 'invalid') return fail(invalid(marked.message));

    const triggers = mayTrigger(prompt.json) ? readTriggers(allOfLastUserText(prompt)) : null;
    const startMs = nowMs();
    const fault =
      counts.faultOf(triggers, requestId) ?? gate.turnAway({ nowMs: startMs, inputTokens: prompt.inputTokens });
    const reply = composeReply({ prompt, draw, triggers });
    const { firstMs, wholeMs } = timesOf(reply, { options, pace: profile.pace, deviation, triggers });
    if (fault !== null && !isOnTheWay(fault)) return fail(fault, firstMs);
    const usage = usageOf(prompt, marked?.blocks ?? null, { cache, startMs, begunMs: startMs + firstMs });
    const headers = gate.account({ nowMs: startMs, outputTokens: reply.outputTokens });
    return { kind: 'reply', requestId, prompt, reply, usage, headers, firstMs, wholeMs, fault };
  }

  return { models, ask, refuseModel };
}

/** Null for most requests: only those that speak of caching are read as a cache reads them. */
function blocksOf(prompt: Prompt): ReturnType<typeof readPromptBlocks> | null {
  return prompt.json.includes(CACHE_WORD) ? readPromptBlocks(prompt.fields) : null;
}

/** These need the answer that they spoil. */
function isOnTheWay({ kind }: Fault): boolean {
  return kind === 'cut' || kind === 'stream_error';
}

type Timing = {
  readonly options: SimulatorOptions;
  readonly pace: Pace;
  readonly deviation: number;
  readonly triggers: Triggers | null;
};

function timesOf(reply: Reply, { options, pace, deviation, triggers }: Timing): { firstMs: number; wholeMs: number } {
  const asked = triggers?.latencyMs ?? null;
  if (asked !== null) return { firstMs: asked * FIRST_TOKEN_SHARE, wholeMs: asked };
  const latencyMs = options.latencyMs ?? 0;
  if (latencyMs > 0) {
    const wholeMs = latencyMs * Math.exp((options.latencySigma ?? 0) * deviation);
    return { firstMs: wholeMs * FIRST_TOKEN_SHARE, wholeMs };
  }
  const factor = Math.exp(pace.sigma * deviation);
  const firstMs = pace.firstTokenMs * factor;
  return { firstMs, wholeMs: firstMs + pace.perTokenMs * factor * reply.outputTokens };
}

type Caching = { readonly cache: PromptCache; readonly startMs: number; readonly begunMs: number };

/** What follows the last mark is plain input; so is everything where nothing is marked. */
function usageOf(
  { model, inputTokens }: Prompt,
  blocks: readonly PromptBlock[] | null,
  { cache, startMs, begunMs }: Caching,
): PromptUsage {
  const use =
    blocks === null ? uncached : cache.use({ blocks, leastTokens: cachedTokensMinOf(model), startMs, begunMs });
  const { readTokens: cacheReadTokens, write5mTokens, write1hTokens } = use;
  const plain = Math.max(0, inputTokens - cacheReadTokens - write5mTokens - write1hTokens);
  return { inputTokens: plain, cacheReadTokens, write5mTokens, write1hTokens };
}

/** How often each request has met the fault it asks for: `[[simulate:overloaded 2]]` fails twice. */
class Counts {
  readonly #met = new Map<string, number>();

  /** The id of a request is drawn from its bytes, so the same request has the same. */
  faultOf(triggers: Triggers | null, requestId: string): Fault | null {
    if (triggers === null || triggers.fault === null || triggers.times === Infinity) return triggers?.fault ?? null;
    const met = this.#met.get(requestId) ?? 0;
    if (met >= triggers.times) return null;
    this.#met.set(requestId, met + 1);
    if (this.#met.size > SIMULATED_COUNTS_MAX) {
      const [oldest] = this.#met.keys();
      if (oldest !== undefined) this.#met.delete(oldest);
    }
    return triggers.fault;
  }
}
