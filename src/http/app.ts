/** The HTTP face as a whole: its routes, the order in which a request is checked, and what every response carries. */
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { AppError } from '../domain/errors.ts';
import { newId } from '../domain/id.ts';
import type { NeededScope } from '../domain/key.ts';
import { Authenticator, requireScope, type Account } from './auth.ts';
import { batchUsage } from './batch-usage.ts';
import { cancelBatch, deleteBatch, listBatches, retrieveBatch } from './batches.ts';
import type { AdmittedCall, Call, HttpDeps } from './call.ts';
import { compressReply } from './compression.ts';
import { countTokens } from './count-tokens.ts';
import { corsHeaders, preflight } from './cors.ts';
import { costReport } from './cost-report.ts';
import { createBatch } from './create.ts';
import { readVersion, requireOneHost } from './headers.ts';
import { requireKnownBetas } from './known-betas.ts';
import { createMessage } from './messages.ts';
import { clientOf } from './proxy.ts';
import { listKeys, listWorkspaces, retrieveKey, retrieveOrganization, retrieveWorkspace } from './organization.ts';
import { openApiDocument } from './openapi.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RateState } from './rate-limit.ts';
import {
  accountHeaders,
  CAPABILITIES,
  errorReply,
  internalError,
  jsonReply,
  publicError,
  rateHeaders,
  type Reply,
} from './respond.ts';
import { listModels, retrieveModel } from './models.ts';
import { downloadPartialResults } from './partial-results.ts';
import { downloadResults } from './results.ts';
import { settleUnread } from './unread.ts';
import { usageReport } from './usage-report.ts';

type Env = { Bindings: HttpBindings };
type Handler =
  | { readonly open: (deps: HttpDeps, call: Call) => Promise<Reply> }
  /** Only with a good key that has the scope. */
  | { readonly scope: NeededScope; readonly admitted: (deps: HttpDeps, call: AdmittedCall) => Promise<Reply> };

export const routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/v1/messages': { POST: { scope: 'messages', admitted: createMessage } },
  '/v1/messages/count_tokens': { POST: { scope: 'messages', admitted: countTokens } },
  '/v1/messages/batches': {
    POST: { scope: 'batches', admitted: createBatch },
    GET: { scope: 'results:read', admitted: listBatches },
  },
  '/v1/messages/batches/:id': {
    GET: { scope: 'results:read', admitted: retrieveBatch },
    DELETE: { scope: 'batches', admitted: deleteBatch },
  },
  '/v1/messages/batches/:id/cancel': { POST: { scope: 'batches', admitted: cancelBatch } },
  '/v1/messages/batches/:id/results': { GET: { scope: 'results:read', admitted: downloadResults } },
  '/v1/messages/batches/:id/results/partial': { GET: { scope: 'results:read', admitted: downloadPartialResults } },
  '/v1/models': { GET: { scope: 'any', admitted: listModels } },
  '/v1/models/:model{.+}': { GET: { scope: 'any', admitted: retrieveModel } },
  '/v1/messages/batches/:id/usage': { GET: { scope: 'results:read', admitted: batchUsage } },
  '/v1/organizations/usage_report/messages': { GET: { scope: 'admin', admitted: usageReport } },
  '/v1/organizations/me': { GET: { scope: 'admin', admitted: retrieveOrganization } },
  '/v1/organizations/workspaces': { GET: { scope: 'admin', admitted: listWorkspaces } },
  '/v1/organizations/workspaces/:id': { GET: { scope: 'admin', admitted: retrieveWorkspace } },
  '/v1/organizations/api_keys': { GET: { scope: 'admin', admitted: listKeys } },
  '/v1/organizations/api_keys/:id': { GET: { scope: 'admin', admitted: retrieveKey } },
  '/v1/organizations/cost_report': { GET: { scope: 'admin', admitted: costReport } },
  '/healthz': { GET: { open: health } },
  '/readyz': { GET: { open: readiness } },
  '/metrics': { GET: { open: metrics } },
  '/openapi.json': { GET: { open: openApi } },
};

export function createApp(deps: HttpDeps): Hono<Env> {
  const face: Face = {
    deps,
    authenticator: new Authenticator(deps),
    limiter: new RateLimiter({ perMinute: deps.httpRequestsPerMinute, clock: deps.world.clock }),
  };
  const app = new Hono<Env>({ strict: false });
  for (const [route, methods] of Object.entries(routes)) {
    for (const [method, handler] of Object.entries(methods)) {
      app.on(method, route, (context) => serve(face, { context, route, handler }));
    }
    app.all(route, (context) => serve(face, { context, route, handler: wrongMethod(Object.keys(methods)) }));
  }
  app.notFound((context) => serve(face, { context, route: 'unknown', handler: unknownPath }));
  return app;
}

type Face = { readonly deps: HttpDeps; readonly authenticator: Authenticator; readonly limiter: RateLimiter };
type Serving = { readonly context: Context<Env>; readonly route: string; readonly handler: Handler };
/** What is known of the caller so far: an error reply tells it too. */
type Caller = { account: Account | null; rate: RateState | null };

async function serve(face: Face, { context, route, handler }: Serving): Promise<Response> {
  const { deps } = face;
  const startedAtMs = deps.world.clock.monotonicMs();
  const call = beginCall(deps, context);
  const caller: Caller = { account: null, rate: null };
  let reply: Reply;
  try {
    reply = await answer({ face, call, caller, handler });
  } catch (error) {
    reply = failed(deps, call, error);
  }
  if (call.node !== null) {
    reply = settleUnread(reply, {
      incoming: call.node.incoming,
      received: call.received,
      timers: deps.world.timers,
    });
  }
  reply = await compressReply(reply, context.req.header('accept-encoding') ?? null);
  const method = context.req.method;
  whenDone(call, reply.status, (status) => {
    const durationMs = deps.world.clock.monotonicMs() - startedAtMs;
    const workspaceId = caller.account?.workspaceId ?? null;
    const client = clientOf(deps, call);
    const { code = null } = reply;
    const { requestId } = call;
    deps.world.emit({ kind: 'http', method, route, status, durationMs, requestId, workspaceId, client, code });
  });
  const headers = {
    ...commonHeaders({ deps, call, caller, path: context.req.path }),
    ...reply.headers,
    ...corsHeaders(deps.corsOrigins, call.request.headers, reply.headers['vary']),
  };
  return new Response(reply.body, { status: reply.status, headers });
}

type Answering = { readonly face: Face; readonly call: Call; readonly caller: Caller; readonly handler: Handler };

/** The order of the checks: route, key, scope, version, rate, and only then the body. */
async function answer({ face, call, caller, handler }: Answering): Promise<Reply> {
  if (call.node !== null) requireOneHost(call.node.incoming.rawHeaders);
  if ('open' in handler) return handler.open(face.deps, call);
  const { headers } = call.request;
  const account = await face.authenticator.identify(headers, call.requestId);
  caller.account = account;
  requireScope(account, handler.scope);
  caller.rate = face.limiter.look(account.workspaceId);
  const apiVersion = readVersion(headers);
  if (face.deps.strict === true) requireKnownBetas(headers);
  const taken = face.limiter.take(account.workspaceId);
  caller.rate = taken.rate;
  if (!taken.allowed) throw rateError(taken.rate);
  return handler.admitted(face.deps, { ...call, account, apiVersion });
}

function beginCall(deps: HttpDeps, context: Context<Env>): Call {
  // In-process there is no environment at all, whatever the type says.
  const bindings = context.env as HttpBindings | undefined;
  return {
    requestId: newId('req', (count) => deps.world.chance.bytes(count)),
    request: context.req.raw,
    batchId: context.req.param('id') ?? '',
    node: bindings?.incoming === undefined ? null : bindings,
    received: { bytes: 0, invited: false },
  };
}

function failed(deps: HttpDeps, call: Call, error: unknown): Reply {
  const told = publicError(error);
  if (told !== null) return errorReply(told, call.requestId);
  // A body that broke off with its socket is no failure of ours, and nobody is left to read the answer.
  if (!call.request.signal.aborted) {
    deps.world.emit({ kind: 'failure', where: 'http', error, requestId: call.requestId });
  }
  return errorReply(internalError(), call.requestId);
}

type Common = { readonly deps: HttpDeps; readonly call: Call; readonly caller: Caller; readonly path: string };

function commonHeaders({ deps, call, caller, path }: Common): Record<string, string> {
  return {
    'request-id': call.requestId,
    ...(path === '/v1' || path.startsWith('/v1/') ? { 'nightshift-capabilities': CAPABILITIES } : {}),
    ...(caller.account === null ? {} : accountHeaders(caller.account, path)),
    ...(caller.rate === null ? {} : rateHeaders(caller.rate, deps.world.clock)),
  };
}

/** Over a socket a request is done when its answer is written; one whose client left is told as 499, as proxies do. */
function whenDone(call: Call, status: number, callback: (status: number) => void): void {
  if (call.node === null) return callback(status);
  const { outgoing } = call.node;
  if (outgoing.destroyed) return callback(499);
  outgoing.once('close', () => callback(outgoing.writableFinished ? status : 499));
}

function rateError(rate: RateState): AppError {
  return new AppError(
    'rate_limited',
    `This request would exceed the rate limit of ${rate.limit} requests per minute for this workspace.`,
    { headers: { 'retry-after': String(Math.max(1, Math.ceil(rate.retryInMs / 1_000))) } },
  );
}

const unknownPath: Handler = { open: () => Promise.reject(new AppError('not_found', 'Not found')) };

/** The question of a browser whether it may call has no method of its own to find. */
function wrongMethod(own: readonly string[]): Handler {
  const methods = own.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  const allow = methods.join(', ');
  return {
    async open({ corsOrigins }, { request }) {
      const answer = preflight(corsOrigins, request, methods);
      if (answer !== null) return answer;
      throw new AppError('method_not_allowed', 'Method not allowed', { headers: { allow } });
    },
  };
}

async function openApi(deps: HttpDeps): Promise<Reply> {
  const facts = Object.entries(routes).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, handler]) => ({
      method,
      path,
      scope: 'open' in handler ? null : handler.scope,
    })),
  );
  return jsonReply(openApiDocument(facts, deps.version));
}

async function health(deps: HttpDeps): Promise<Reply> {
  return jsonReply({ status: 'ok', version: deps.version });
}

async function readiness(deps: HttpDeps): Promise<Reply> {
  const state = deps.service.ready();
  return jsonReply(state, { status: state.ready ? 200 : 503 });
}

async function metrics(deps: HttpDeps): Promise<Reply> {
  const { contentType, body } = await deps.metrics();
  return { status: 200, headers: { 'content-type': contentType }, body };
}
