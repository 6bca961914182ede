/** Synchronous calls: one request, answered at once by the upstream its model goes to, before any batch work. */
import type { AdmittedCall, HttpDeps } from './call.ts';
import { readBetas } from './headers.ts';
import type { Reply } from './respond.ts';
import { upstreamReply } from './upstream-reply.ts';
import { readWholeBody } from './whole-body.ts';

export async function createMessage(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const params = await readWholeBody(deps, call);
  const betas = readBetas(call.request.headers);
  const version = call.apiVersion;
  const { model, maxTokens, tokenEstimate } = deps.dialect.readCall(params, { version, betas, use: 'message' });
  const { signal, leave } = leaving(call);
  const { workspaceId } = call.account;
  const answer = await deps.service.message({
    workspaceId,
    version,
    betas,
    model,
    params,
    maxTokens,
    tokens: tokenEstimate,
    signal,
  });
  return upstreamReply({ deps, call, answer, leave });
}

/** Aborted when the socket closes, or when the answer is given up. */
export function leaving(call: AdmittedCall): { readonly signal: AbortSignal; readonly leave: () => void } {
  const controller = new AbortController();
  const leave = (): void => controller.abort();
  const { signal } = call.request;
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  return { signal: controller.signal, leave };
}
