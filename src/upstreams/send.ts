/** Calls over the network: `Send` of the world, made of one undici pool an origin. */
import { buildConnector, Pool } from 'undici';
import { ANSWERS_IN_FLIGHT_BYTES_MAX } from '../domain/limits.ts';
import type { Send, UpstreamRequest, UpstreamResponse } from '../ports/world.ts';
import { AnswerBudget } from './answer-budget.ts';
import { Exchange } from './exchange.ts';
import { ConnectError, explained } from './send-errors.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Shorter than the five seconds after which common servers close an idle connection, so that a call seldom meets its end. */
const KEEP_ALIVE_MS = 4_000;
/** URLs are few (one or two an upstream); beyond this the cache is begun anew. */
const TARGETS_MAX = 1_000;

export type Sender = { readonly send: Send; close(): Promise<void> };

/** `connections` bounds each origin; null leaves the bound to the callers, whose lanes have windows of their own. */
export function createSend(options: { connections: number | null }): Sender {
  const pools = new Map<string, Pool>();
  const targets = new Map<string, Target>();
  const budget = new AnswerBudget(ANSWERS_IN_FLIGHT_BYTES_MAX);

  function targetOf(url: string): Target {
    const known = targets.get(url);
    if (known !== undefined) return known;
    if (targets.size >= TARGETS_MAX) targets.clear();
    const { origin, pathname, search } = new URL(url);
    let pool = pools.get(origin);
    if (pool === undefined) pools.set(origin, (pool = openPool(origin, options.connections)));
    const target = { pool, path: pathname + search };
    targets.set(url, target);
    return target;
  }

  function send({ method = 'POST', url, headers, body, signal }: UpstreamRequest): Promise<UpstreamResponse> {
    const exchange = new Exchange(signal, budget);
    if (signal.aborted) return exchange.answered;
    try {
      const { pool, path } = targetOf(url);
      pool.dispatch({ method, path, headers, body: method === 'GET' ? null : body }, exchange);
    } catch (error) {
      return Promise.reject(explained(error, { signal, sent: false }));
    }
    return exchange.answered;
  }

  async function close(): Promise<void> {
    await Promise.all([...pools.values()].map((pool) => pool.destroy()));
  }

  return { send, close };
}

type Target = { readonly pool: Pool; readonly path: string };

/** undici's own timeouts are off: the engine has one sweep for all calls. */
function openPool(origin: string, connections: number | null): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: connectorThatSaysSo(),
  });
}

function connectorThatSaysSo(): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false });
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error === null) callback(null, socket as NonNullable<typeof socket>);
      else callback(new ConnectError(error), null);
    });
  };
}
