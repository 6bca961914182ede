/** Counts of tokens: asked of the upstream beside its lanes, because they cost nothing and wait for nobody. */
import { COUNT_TIMEOUT_MS, COUNTS_IN_FLIGHT_MAX, ERROR_BYTES_MAX } from '../domain/limits.ts';
import type { World } from '../ports/world.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import type { CountCall, WholeAnswer } from './contract.ts';
import { crowded, failureOf, left, upstreamTimeout } from './sync-errors.ts';

export type TokenCountsDeps = { readonly world: World; readonly upstreamFor: (model: string) => Upstream };

export class TokenCounts {
  readonly #deps: TokenCountsDeps;
  #inFlight = 0;

  constructor(deps: TokenCountsDeps) {
    this.#deps = deps;
  }

  /** Null where the upstream counts nothing itself. Throws AppError. */
  async count(call: CountCall): Promise<WholeAnswer | null> {
    if (this.#inFlight >= COUNTS_IN_FLIGHT_MAX) throw crowded('Too many tokens are being counted.');
    const { model, params, version, betas } = call;
    const controller = new AbortController();
    const leave = () => controller.abort(left);
    const cancel = this.#deps.world.timers.after(COUNT_TIMEOUT_MS, () => controller.abort(upstreamTimeout()));
    call.signal.addEventListener('abort', leave, { once: true });
    this.#inFlight += 1;
    try {
      const { signal } = controller;
      const response = await this.#deps.upstreamFor(model).countTokens({ params, version, betas, signal });
      if (response === null) return null;
      const { status, headers } = response;
      return { status, headers, body: await response.body.bytes(ERROR_BYTES_MAX) };
    } catch (error) {
      const told = failureOf(controller.signal.aborted ? controller.signal.reason : error);
      if (told.code === 'internal' && told !== left)
        this.#deps.world.emit({ kind: 'failure', where: 'count_tokens', error, requestId: null });
      throw told;
    } finally {
      this.#inFlight -= 1;
      cancel();
      call.signal.removeEventListener('abort', leave);
    }
  }
}
