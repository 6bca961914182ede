/** How servers that speak chat completions differ: one profile each. docs/upstreams/openai.md tells the same table. */
export const profileNames = ['openai', 'vllm', 'llama.cpp', 'ollama', 'generic'] as const;
export type ProfileName = (typeof profileNames)[number];

export type Effort = 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export type Profile = {
  readonly name: ProfileName;
  /** How the server is called in an error. */
  readonly title: string;
  readonly tokenLimit: 'max_completion_tokens' | 'max_tokens';
  readonly topK: boolean;
  /** The most stop sequences it takes. */
  readonly stopMax: number;
  /** Which tools it can be forced to call: any and a named one, only any, or none at all. */
  readonly forcedTools: 'named' | 'any' | 'none';
  /** Whether it can be kept from calling several tools at once. */
  readonly parallelTools: boolean;
  /** Whether it knows `strict` schemas; the others hold to every schema, or to none. */
  readonly strict: boolean;
  readonly pdf: boolean;
  /** A last message of the assistant that the answer goes on from: where asked to, by itself, or by itself and said again in the answer. */
  readonly prefill: 'asked' | 'continued' | 'echoed' | 'none';
  /** Efforts it knows; others become the nearest below, because an effort is a hint. */
  readonly efforts: readonly Effort[];
  /** How thinking is switched on and off: by an effort, `none` among them, or by the template's `enable_thinking`. */
  readonly thinkingSwitch: 'effort' | 'template';
  /** Where an effort goes: into the body, or to the template. */
  readonly effortIn: 'body' | 'template';
  /** It takes the budget of thinking itself, as `thinking_budget_tokens`. */
  readonly thinkingBudget: boolean;
  /** It thinks unless it is told not to, where Messages thinks only when it is told to. */
  readonly thinksUnasked: boolean;
  /** The field of a message of the assistant that holds its earlier thinking; null where there is none. */
  readonly reasoningField: 'reasoning' | 'reasoning_content' | null;
  /** It takes `safety_identifier` and `service_tier`. */
  readonly accountFields: boolean;
};

const all: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];
const three: readonly Effort[] = ['low', 'medium', 'high'];

const generic: Profile = {
  name: 'generic',
  title: 'a server of an unknown kind',
  tokenLimit: 'max_tokens',
  topK: true,
  stopMax: Infinity,
  forcedTools: 'named',
  parallelTools: true,
  strict: true,
  pdf: false,
  prefill: 'none',
  efforts: three,
  thinkingSwitch: 'effort',
  effortIn: 'body',
  thinkingBudget: false,
  thinksUnasked: false,
  reasoningField: 'reasoning_content',
  accountFields: false,
};

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  openai: {
    ...generic,
    name: 'openai',
    title: 'OpenAI',
    tokenLimit: 'max_completion_tokens',
    topK: false,
    stopMax: 4,
    pdf: true,
    efforts: all,
    reasoningField: null,
    accountFields: true,
  },
  vllm: {
    ...generic,
    name: 'vllm',
    title: 'vLLM',
    strict: false,
    prefill: 'asked',
    thinkingSwitch: 'template',
    reasoningField: 'reasoning',
  },
  'llama.cpp': {
    ...generic,
    name: 'llama.cpp',
    title: "llama.cpp's server",
    forcedTools: 'any',
    strict: false,
    prefill: 'echoed',
    thinkingSwitch: 'template',
    effortIn: 'template',
    thinkingBudget: true,
  },
  ollama: {
    ...generic,
    name: 'ollama',
    title: 'Ollama',
    topK: false,
    forcedTools: 'none',
    parallelTools: false,
    strict: false,
    prefill: 'continued',
    thinksUnasked: true,
    reasoningField: 'reasoning',
  },
  generic,
};

/** Owners that only one kind of server names. */
const owners: Readonly<Record<string, ProfileName>> = { vllm: 'vllm', llamacpp: 'llama.cpp', library: 'ollama' };

/**
 * What a list of models gives away: one known owner, and only that one; Ollama names the account of a model where it is not its own library.
 * Where the list names two kinds, or somebody unknown, nothing is known.
 */
export function guessProfile(owned: readonly unknown[]): ProfileName {
  const kinds = new Set(
    owned.map((owner) => (typeof owner === 'string' && Object.hasOwn(owners, owner) ? owners[owner] : null)),
  );
  if (owned.every((owner) => typeof owner === 'string') && kinds.has('ollama')) kinds.delete(null);
  const [kind] = kinds;
  return kinds.size === 1 && kind != null ? kind : 'generic';
}

/** OpenAI's models that reason; the others refuse to be told how much. */
export function reasons(model: string): boolean {
  return /^(o\d|gpt-[5-9])/.test(model);
}
