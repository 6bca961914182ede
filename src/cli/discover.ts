/** A look at the usual ports of this machine for a model server that is running, so that a newcomer learns the command for it. */
import { shellQuoted } from './snippets.ts';

const LOOK_MS = 300;

export type Place = { readonly name: string; readonly port: number };

const usualPlaces: readonly Place[] = [
  { name: 'Ollama', port: 11_434 },
  { name: 'llama.cpp', port: 8_080 },
  { name: 'vLLM', port: 8_000 },
  { name: 'LM Studio', port: 1_234 },
];

export type Found = {
  readonly name: string;
  readonly url: string;
  /** The first it lists. */
  readonly model: string | null;
  readonly otherModels: number;
};

export async function findModelServers(places: readonly Place[] = usualPlaces): Promise<readonly Found[]> {
  const looks = await Promise.all(places.map((place) => lookAt(place).catch(() => null)));
  return looks.filter((found) => found !== null);
}

/** All four list their models in the same form; whatever else answers on the port does not. */
async function lookAt({ name, port }: Place): Promise<Found | null> {
  const url = `http://127.0.0.1:${port}`;
  const response = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(LOOK_MS), redirect: 'error' });
  if (!response.ok) return null;
  const list = (await response.json()) as { data?: readonly { id?: unknown }[] | null } | null;
  if (list === null || typeof list !== 'object' || !('data' in list)) return null;
  const models = namesOf(list.data);
  return { name, url, model: models[0] ?? null, otherModels: Math.max(0, models.length - 1) };
}

function namesOf(data: unknown): readonly string[] {
  if (!Array.isArray(data)) return [];
  const ids = (data as readonly ({ id?: unknown } | null)[]).map((entry) => entry?.id);
  return ids.filter((id): id is string => typeof id === 'string' && /^\P{Cc}{1,256}$/u.test(id));
}

export function commandFor({ url, model }: Found): string {
  return `nightshift serve --upstream anthropic:${url}${model === null ? '' : ` --model ${shellQuoted(model)}`}`;
}

/** What a start says about it: the command for its first model, and how many others could be named instead. */
export function lineFor(found: Found): string {
  const { name, url, otherModels } = found;
  const others = otherModels === 0 ? '' : ` (and ${otherModels} more model${otherModels === 1 ? '' : 's'})`;
  return `Found ${name} at ${url}: ${commandFor(found)}${others}`;
}
