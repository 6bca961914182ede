/** The built-in model: it answers every Messages request at once, the same bytes with the same bytes, and says that it is simulated. */
import { anthropicError, wholeJson, type SimulatedAnswer } from './answers.ts';
import { createCore, type Core, type SimulatorOptions } from './core.ts';
import { hashBytes, lanesOfSeed, startDraw } from './draw.ts';
import { drawId } from './drawn-id.ts';
import { apiError, invalid, notFound } from './faults.ts';
import { answerMessages, countTokens } from './messages-face.ts';
import { factsOf, listModels, renderModel, renderModels } from './models.ts';
import { answerChat } from './openai-face.ts';

export type { SimulatedAnswer } from './answers.ts';
export type { SimulatorOptions } from './core.ts';

export type SimulatedCall = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: Uint8Array;
};

export type Simulator = { answer(call: SimulatedCall): SimulatedAnswer };

export function createSimulator(options: SimulatorOptions): Simulator {
  const core = createCore(options);
  return {
    answer(call) {
      // What batches are made of.
      if (call.method === 'POST' && call.path === '/v1/messages') return answerMessages(core, call.body);
      return answerOther(core, call);
    },
  };
}

function answerOther(core: Core, { method, path, body }: SimulatedCall): SimulatedAnswer {
  const requestId = requestIdOf(method + path, body);
  const failing = { requestId, latencyMs: 0 };
  const [pathname, query = ''] = path.split('?', 2);
  const question = { body, requestId };
  const wanted = routes.find((route) => route.pattern.test(pathname));
  if (wanted === undefined) return anthropicError(notFound(`Not Found: ${pathname}`), failing);
  if (method !== wanted.method)
    return anthropicError(apiError(405, 'invalid_request_error', 'Method Not Allowed'), failing);
  switch (wanted.name) {
    case 'messages':
      return answerMessages(core, body);
    case 'count':
      return countTokens(core, question);
    case 'chat':
      return answerChat(core, body);
    case 'models': {
      const page = renderModels(listModels(core.models), new URLSearchParams(query));
      if (page === null) return anthropicError(invalid('limit, before_id or after_id is not valid'), failing);
      return wholeJson(page, requestId);
    }
    case 'model': {
      const id = decoded(pathname.slice('/v1/models/'.length));
      const isThere = id !== null && core.refuseModel(id) === null;
      return isThere
        ? wholeJson(renderModel(factsOf(id)), requestId)
        : anthropicError(notFound(`model: ${id}`), failing);
    }
  }
}

const routes = [
  { name: 'messages', method: 'POST', pattern: /^\/v1\/messages$/ },
  { name: 'count', method: 'POST', pattern: /^\/v1\/messages\/count_tokens$/ },
  { name: 'chat', method: 'POST', pattern: /^\/v1\/chat\/completions$/ },
  { name: 'models', method: 'GET', pattern: /^\/v1\/models$/ },
  { name: 'model', method: 'GET', pattern: /^\/v1\/models\/.+$/ },
] as const;

function requestIdOf(what: string, body: Uint8Array): string {
  return drawId('req', startDraw(hashBytes(body, lanesOfSeed(what))));
}

/** A stray `%` is no encoding. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
