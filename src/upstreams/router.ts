/** Which upstream a model's requests go to, and under which name: the first pattern that matches decides. */
import { spliceModel } from '../bytes/model.ts';
import type { Call, Upstream } from './upstream.ts';

export type Route = {
  /** A name, or the beginning of names followed by `*`. */
  readonly pattern: string;
  readonly upstream: Upstream;
  /** The name at the upstream; null leaves the name in the request. */
  readonly model: string | null;
};

export type Router = (model: string) => Upstream;

/** What no pattern matches goes to the fallback, under its own name. */
export function createRouter({ routes, fallback }: { routes: readonly Route[]; fallback: Upstream }): Router {
  const ready = routes.map(({ pattern, upstream, model }) => ({
    pattern,
    upstream: model === null ? upstream : renamed(upstream, model),
  }));
  return (model) => ready.find(({ pattern }) => matches(pattern, model))?.upstream ?? fallback;
}

export function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : pattern === model;
}

/** Only the bytes of the name change. */
function renamed(upstream: Upstream, model: string): Upstream {
  const rename = (call: Call): Call => ({ ...call, params: spliceModel(call.params, model) });
  return {
    ...upstream,
    call: (call) => upstream.call(rename(call)),
    open: (call) => upstream.open(rename(call)),
    countTokens: (call) => upstream.countTokens(rename(call)),
  };
}
