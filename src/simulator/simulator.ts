/** The built-in model: it answers every Messages request at once, the same bytes with the same bytes, and says that it is simulated. */

import { hashBytes, lanesOfSeed, startDraw } from './draw.ts';
import type { Draw, Lanes } from './draw.ts';
import { phrase } from './phrase.ts';
import { readPrompt } from './prompt.ts';

export interface SimulatorOptions {
  readonly seed: number | string;
  /** The median time an answer takes; 0, the default, is at once. */
  readonly latencyMs?: number;
  /** The spread of a lognormal around the median; 0, the default, makes every answer take the median. */
  readonly latencySigma?: number;
}

export interface SimulatedAnswer {
  readonly status: 200 | 400;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** How long the caller should wait before it hands the answer on; the simulator itself never waits. */
  readonly latencyMs: number;
}

export interface Simulator {
  answer(params: Uint8Array): SimulatedAnswer;
  /** The same figure as in the answer, for callers that want to wait first and compute later. */
  latencyMs(params: Uint8Array): number;
}

const BASE_62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** An id is its prefix, 01, and so many letters. */
const ID_LETTERS = 22;
/** A word of 32 bits gives five letters of 62 without a visible bias. */
const LETTERS_PER_WORD = 5;

export function createSimulator(options: SimulatorOptions): Simulator {
  const seed = lanesOfSeed(options.seed);
  return {
    answer: (params) => answerFrom(params, seed, options),
    latencyMs: (params) => drawLatencyMs(startDraw(hashBytes(params, seed)), options),
  };
}

/** One answer without a simulator to keep. */
export function simulate(input: SimulatorOptions & { readonly params: Uint8Array }): SimulatedAnswer {
  return answerFrom(input.params, lanesOfSeed(input.seed), input);
}

function answerFrom(params: Uint8Array, seed: Lanes, options: SimulatorOptions): SimulatedAnswer {
  const draw = startDraw(hashBytes(params, seed));
  // The latency is drawn first, so that it can be known without reading the request.
  const latencyMs = drawLatencyMs(draw, options);
  const requestId = `req_01${drawLetters(draw)}`;
  const headers = { 'content-type': 'application/json', 'request-id': requestId };
  const prompt = readPrompt(params);
  if (prompt.kind === 'invalid') {
    return { status: 400, headers, body: renderError(prompt.message, requestId), latencyMs };
  }
  const { model, inputTokens } = prompt;
  const wording = phrase({ draw, firstWords: prompt.firstWords, maxTokens: prompt.maxTokens });
  const body = Buffer.from(
    `{"model":${JSON.stringify(model)},"id":"msg_01${drawLetters(draw)}","type":"message","role":"assistant",` +
      `"content":[{"type":"text","text":${JSON.stringify(wording.text)}}],"container":null,` +
      `"stop_reason":"${wording.stopReason}","stop_sequence":null,"stop_details":null,` +
      `"usage":{"input_tokens":${inputTokens},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,` +
      `"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},` +
      `"output_tokens":${wording.tokens},"service_tier":"standard","inference_geo":"not_available"},"diagnostics":null}`,
  );
  return { status: 200, headers, body, latencyMs };
}

function renderError(message: string, requestId: string): Uint8Array {
  const error = { type: 'invalid_request_error', message };
  return Buffer.from(JSON.stringify({ type: 'error', error, request_id: requestId }));
}

/** Two words are drawn whatever the options say: a change of latency must not change the texts. */
function drawLatencyMs(draw: Draw, options: SimulatorOptions): number {
  const deviation = draw.normal();
  return (options.latencyMs ?? 0) * Math.exp((options.latencySigma ?? 0) * deviation);
}

function drawLetters(draw: Draw): string {
  let letters = '';
  while (letters.length < ID_LETTERS) {
    let rest = draw.word();
    const count = Math.min(LETTERS_PER_WORD, ID_LETTERS - letters.length);
    for (let letter = 0; letter < count; letter += 1) {
      letters += BASE_62.charAt(rest % 62);
      rest = Math.floor(rest / 62);
    }
  }
  return letters;
}
