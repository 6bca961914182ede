/** Counting the tokens of a request: the upstream's own count, or an estimate that says so. */
import type { AdmittedCall, HttpDeps } from './call.ts';
import { readBetas } from './headers.ts';
import { leaving } from './messages.ts';
import { jsonReply, type Reply } from './respond.ts';
import { estimateTokens } from './token-estimate.ts';
import { upstreamReply } from './upstream-reply.ts';
import { readWholeBody } from './whole-body.ts';

export async function countTokens(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const params = await readWholeBody(deps, call);
  const betas = readBetas(call.request.headers);
  const version = call.apiVersion;
  const { model } = deps.dialect.readCall(params, { version, betas, use: 'count' });
  const { signal, leave } = leaving(call);
  const answer = await deps.service.countTokens({ version, betas, model, params, signal });
  if (answer !== null) return upstreamReply({ deps, call, answer, leave });
  return jsonReply({ input_tokens: estimateTokens(params) }, { headers: { 'nightshift-estimate': 'true' } });
}
