/** The models the simulator stands for: their names, the least prefix each caches, and how the API lists them. */

export type ModelFacts = {
  readonly id: string;
  readonly createdAt: string;
  readonly contextTokens: number;
  readonly outputTokens: number;
};

const MILLION = 1_000_000;

/** Newest first, as the API lists them; the dates are near enough for a simulation. */
const known: readonly ModelFacts[] = [
  { id: 'claude-fable-5-2', createdAt: '2026-11-09T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-haiku-5-5', createdAt: '2026-10-07T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-opus-5-5', createdAt: '2026-09-15T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-sonnet-5-5', createdAt: '2026-09-01T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-opus-5', createdAt: '2026-06-01T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-sonnet-5', createdAt: '2026-05-01T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-sonnet-4-6', createdAt: '2026-02-17T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-opus-4-6', createdAt: '2026-02-05T00:00:00Z', contextTokens: MILLION, outputTokens: 128_000 },
  { id: 'claude-haiku-4-5', createdAt: '2025-10-15T00:00:00Z', contextTokens: 200_000, outputTokens: 64_000 },
];

const CACHED_TOKENS_MIN_DEFAULT = 1_024;
/** The longest beginning that fits decides. */
const cachedTokensMin: Readonly<Record<string, number>> = {
  'claude-fable-5': 512,
  'claude-mythos-5': 512,
  'claude-mythos-preview': 2_048,
  'claude-opus-5': 512,
  'claude-opus-4-7': 2_048,
  'claude-opus-4-6': 4_096,
  'claude-opus-4-5': 4_096,
  'claude-haiku-4-5': 4_096,
  'claude-haiku-3': 2_048,
  'claude-3-5-haiku': 2_048,
  'claude-3-haiku': 2_048,
};

export function cachedTokensMinOf(model: string): number {
  const [longest] = Object.keys(cachedTokensMin)
    .filter((beginning) => model.startsWith(beginning))
    .sort((left, right) => right.length - left.length);
  return longest === undefined ? CACHED_TOKENS_MIN_DEFAULT : cachedTokensMin[longest];
}

/** `names` null accepts every name and lists the known ones. */
export function listModels(names: readonly string[] | null): readonly ModelFacts[] {
  return names === null ? known : names.map(factsOf);
}

export function factsOf(id: string): ModelFacts {
  const found = known.find((one) => one.id === id);
  return found ?? { id, createdAt: '2026-01-01T00:00:00Z', contextTokens: 200_000, outputTokens: 64_000 };
}

/** One object that clients of Anthropic and of OpenAI both read. */
export function renderModel({ id, createdAt, contextTokens, outputTokens }: ModelFacts): object {
  return {
    id,
    type: 'model',
    object: 'model',
    display_name: `${id} (simulated)`,
    created_at: createdAt,
    created: Math.floor(Date.parse(createdAt) / 1_000),
    owned_by: 'nightshift-simulator',
    max_input_tokens: contextTokens,
    max_tokens: outputTokens,
  };
}

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 1_000;

/** A page of the list, or null where the question is wrong. */
export function renderModels(models: readonly ModelFacts[], query: URLSearchParams): object | null {
  const limit = query.has('limit') ? Number(query.get('limit')) : LIMIT_DEFAULT;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) return null;
  const [after, before] = [query.get('after_id'), query.get('before_id')];
  const placeOf = (id: string | null): number => models.findIndex((model) => model.id === id);
  if ((after !== null && placeOf(after) < 0) || (before !== null && placeOf(before) < 0)) return null;
  const start = after === null ? 0 : placeOf(after) + 1;
  const end = before === null ? models.length : placeOf(before);
  const from = before === null ? start : Math.max(start, end - limit);
  const page = models.slice(from, Math.min(end, from + limit));
  return {
    object: 'list',
    data: page.map(renderModel),
    has_more: before === null ? from + page.length < end : from > start,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
}
