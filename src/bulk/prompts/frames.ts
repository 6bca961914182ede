/** The JSON that all rows share, made once, with places left for the message and, where it has columns, the system prompt. */
import type { Change, Row } from '../contract.ts';
import { MAX_TOKENS_DEFAULT } from '../limits.ts';
import type { PromptSpec } from '../run/spec.ts';
import type { CachePlan } from './cache-marks.ts';
import { PromptError } from './fault.ts';
import { orderParams, paramsComplaint, reaskMessages, type Params } from './params.ts';
import type { AnswerSchema } from './schema.ts';
import type { Template } from './template.ts';

/** Stand in the shared JSON for what each row fills in; no text of a person holds them. */
const contentPlace = '\u0000content\u0000';
const systemPlace = '\u0000system\u0000';

export type Frame = {
  readonly before: string;
  readonly between: string | null;
  readonly after: string;
  readonly maxTokens: number;
};

/** The JSON around what rows fill in, made once for each model and max_tokens. */
export class Frames {
  readonly #spec: PromptSpec;
  readonly #asked: Params;
  readonly #system: Template | null;
  readonly #systemRest: Template | null;
  readonly #cache: CachePlan;
  readonly #made = new Map<string, Frame>();
  #rest: Template | null = null;

  constructor({
    spec,
    schema,
    system,
    cache,
  }: {
    spec: PromptSpec;
    schema: AnswerSchema | null;
    system: Template | null;
    cache: CachePlan;
  }) {
    this.#spec = spec;
    this.#asked = schema?.params ?? {};
    this.#system = system;
    this.#cache = cache;
    this.#systemRest = system !== null && this.#splitsSystem() ? system.afterPrefix() : system;
  }

  of(change: Change): Frame {
    if (change.reask !== undefined) return this.#make(change);
    const name = `${change.model ?? ''} ${change.maxTokens ?? ''}`;
    const made = this.#made.get(name) ?? this.#make(change);
    if (this.#made.size < FRAMES_MAX) this.#made.set(name, made);
    return made;
  }

  rest(message: Template): Template {
    return (this.#rest ??= message.afterPrefix());
  }

  /** The part of a system prompt that has columns, inside its quotes. */
  systemText(values: Row): string {
    return this.#systemRest!.json(values);
  }

  /** The shared params as data, for a function that gives the rest. */
  base(values: Row): Params {
    const { messages, ...base } = this.#params({}, systemPlace);
    if ((messages as unknown[]).length > 1) base.messages = (messages as unknown[]).slice(0, -1);
    const system = this.#system;
    if (system === null || system.fixed) return base;
    const text = JSON.stringify(base.system).replace(JSON.stringify(systemPlace).slice(1, -1), () =>
      this.systemText(values),
    );
    return { ...base, system: JSON.parse(text) };
  }

  #make(change: Change): Frame {
    const params = this.#params(change, systemPlace);
    const complaint =
      this.#spec.kind === 'passthrough'
        ? null
        : paramsComplaint(this.#spec.kind === 'function' ? { model: 'of a row', ...defined(params) } : params);
    if (complaint !== null) throw new PromptError(complaint);
    const json = JSON.stringify(params);
    const [head, after, ...more] = json.split(JSON.stringify(contentPlace));
    const [before, between = null, ...moreSystem] = head.split(JSON.stringify(systemPlace).slice(1, -1));
    if (more.length + moreSystem.length > 0) throw new PromptError('the prompt holds NUL characters');
    const maxTokens = params.max_tokens as number;
    return { before, between, after, maxTokens };
  }

  #params(change: Change, place: string): Record<string, unknown> {
    const { model, maxTokens, temperature, params: given } = this.#spec;
    const reask = change.reask === undefined ? [] : reaskMessages(change.reask);
    const listed = given.max_tokens as number | undefined;
    return orderParams({
      model: change.model ?? model,
      maxTokens: change.maxTokens ?? maxTokens ?? listed ?? MAX_TOKENS_DEFAULT,
      temperature,
      given,
      asked: this.#asked,
      system: this.#systemShape(place),
      messages: [{ role: 'user', content: contentPlace }, ...reask],
    }) as Record<string, unknown>;
  }

  #systemShape(place: string): unknown {
    const system = this.#system;
    const { mark, at } = this.#cache;
    if (system === null) return undefined;
    const text = system.fixed ? system.prefix : place;
    if (mark === null || at === 'message prefix') return text;
    if (system.fixed) return [{ type: 'text', text, cache_control: mark }];
    return [
      { type: 'text', text: system.prefix, cache_control: mark },
      { type: 'text', text },
    ];
  }

  #splitsSystem(): boolean {
    return this.#cache.mark !== null && this.#cache.at === 'system prefix';
  }
}

/** Models and lengths a run tries are few; beyond this their frames are made anew. */
const FRAMES_MAX = 64;

/** Without the members that have no value. */
export function defined(values: Params): Params {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
}
