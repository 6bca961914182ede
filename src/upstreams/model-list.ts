/** The names a caller can ask for: those the configuration spells out, and those the upstreams say they serve under their own names. */
import { MODELS_ASK_MS, MODELS_KEPT_MS, MODELS_RETRY_MS } from '../domain/limits.ts';
import type { Clock, Timers } from '../ports/world.ts';
import { matches, type Route } from './router.ts';
import type { Upstream } from './upstream.ts';

export type ModelListOptions = {
  /** In the order in which they decide. */
  readonly routes: readonly Route[];
  /** What a simulator is said to serve that answers to every name. */
  readonly simulated: readonly string[];
  readonly clock: Clock;
  readonly timers: Timers;
};

type Answer = { readonly names: readonly string[]; readonly goodUntilMs: number };

export class ModelList {
  readonly #options: ModelListOptions;
  readonly #answers = new Map<Upstream, Answer>();
  readonly #asking = new Map<Upstream, Promise<readonly string[]>>();

  constructor(options: ModelListOptions) {
    this.#options = options;
  }

  /** Each once. Never waits longer than an upstream may take to answer, and never rejects. */
  async names(): Promise<readonly string[]> {
    const { routes } = this.#options;
    const spelledOut = routes.filter(({ pattern }) => !pattern.includes('*')).map(({ pattern }) => pattern);
    const targets = routes.flatMap((route) =>
      route.model !== null && this.#keeps(route.model, route.upstream) ? [route.model] : [],
    );
    const upstreams = [...new Set(routes.map(({ upstream }) => upstream))];
    const served = await Promise.all(
      upstreams.map(async (upstream) => (await this.#served(upstream)).filter((name) => this.#keeps(name, upstream))),
    );
    return [...new Set([...spelledOut, ...targets, ...served.flat()])];
  }

  /** Whether the configuration gives this name a model, whatever the upstreams say: `claude-*` may all be one. */
  isMapped(name: string): boolean {
    return (this.#routeOf(name)?.model ?? null) !== null;
  }

  /** The name leads to this upstream, and means the same model there. */
  #keeps(name: string, upstream: Upstream): boolean {
    const route = this.#routeOf(name);
    return route?.upstream === upstream && (route.model === null || route.model === name);
  }

  #routeOf(name: string): Route | undefined {
    return this.#options.routes.find(({ pattern }) => matches(pattern, name));
  }

  async #served(upstream: Upstream): Promise<readonly string[]> {
    const kept = this.#answers.get(upstream);
    if (kept !== undefined && this.#options.clock.monotonicMs() < kept.goodUntilMs) return kept.names;
    let asking = this.#asking.get(upstream);
    if (asking === undefined) {
      asking = this.#ask(upstream).finally(() => this.#asking.delete(upstream));
      this.#asking.set(upstream, asking);
    }
    return asking;
  }

  /** One that does not answer keeps what it said last. */
  async #ask(upstream: Upstream): Promise<readonly string[]> {
    const { clock, timers } = this.#options;
    const controller = new AbortController();
    const timeUp = Promise.withResolvers<null>();
    const cancel = timers.after(MODELS_ASK_MS, () => {
      timeUp.resolve(null);
      controller.abort();
    });
    // Whatever it does with the signal: nobody waits for it any longer.
    const said = await Promise.race([upstream.models(controller.signal).catch(() => null), timeUp.promise]);
    cancel();
    const names = said ?? this.#answers.get(upstream)?.names ?? this.#unasked(upstream);
    const goodUntilMs = clock.monotonicMs() + (said === null ? MODELS_RETRY_MS : MODELS_KEPT_MS);
    this.#answers.set(upstream, { names, goodUntilMs });
    return names;
  }

  #unasked(upstream: Upstream): readonly string[] {
    return upstream.billing === 'simulated' ? this.#options.simulated : [];
  }
}
