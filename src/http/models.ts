/** The models a caller can ask for, as the Models API shows them: `GET /v1/models` and `GET /v1/models/{id}`. */
import { AppError } from '../domain/errors.ts';
import { listedModel } from '../money/prices.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { readCursors, type Cursors } from './list.ts';
import { displayName, isSameModel, lineOf, newestFirst, snapshotDay } from './model-names.ts';
import { jsonReply, type Reply } from './respond.ts';

export async function listModels(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const { searchParams } = new URL(call.request.url);
  const cursors = readCursors(searchParams);
  const wanted = searchParams.getAll('lifecycle[]');
  const names = newestFirst(await deps.models.names()).filter(
    (name) => wanted.length === 0 || wanted.includes(lifecycleOf(name)),
  );
  const page = pageOf(names, cursors);
  return jsonReply({
    data: page.names.map(modelInfo),
    has_more: page.hasMore,
    first_id: page.names.at(0) ?? null,
    last_id: page.names.at(-1) ?? null,
  });
}

export async function retrieveModel(deps: HttpDeps, call: AdmittedCall): Promise<Reply> {
  const asked = nameOf(call.request.url);
  const names = newestFirst(await deps.models.names());
  const found = names.find((name) => name === asked) ?? names.find((name) => isSameModel(name, asked));
  const name = found ?? (deps.models.isMapped(asked) ? asked : null);
  if (name === null) throw new AppError('not_found', `model: ${asked}`);
  return jsonReply(modelInfo(name));
}

/** The names next to the cursor, on the side that was asked for, in the order of the list. */
function pageOf(
  names: readonly string[],
  { limit, after, before }: Cursors,
): { names: readonly string[]; hasMore: boolean } {
  if (before !== null) {
    const end = placeOf(names, { cursor: before, parameter: 'before_id' });
    return { names: names.slice(Math.max(0, end - limit), end), hasMore: end > limit };
  }
  const start = after === null ? 0 : placeOf(names, { cursor: after, parameter: 'after_id' }) + 1;
  return { names: names.slice(start, start + limit), hasMore: names.length > start + limit };
}

function placeOf(names: readonly string[], { cursor, parameter }: { cursor: string; parameter: string }): number {
  const place = names.indexOf(cursor);
  if (place < 0) throw new AppError('invalid_request', `${parameter}: Model ${cursor} not found.`);
  return place;
}

/** A name may hold slashes, escaped or not. */
function nameOf(url: string): string {
  const name = new URL(url).pathname.replace(/^\/v1\/models\//, '').replace(/\/$/, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const lifecycles = {
  current: 'active',
  legacy: 'active',
  preview: 'active',
  deprecated: 'deprecated',
  retired: 'retired',
} as const;

/** Of the provider's own; whatever else an upstream serves is in use. */
function lifecycleOf(name: string): string {
  return lifecycles[listedModel(name)?.lifecycle ?? 'current'];
}

/** What is not known is null; the API itself says the epoch for an unknown day. */
function modelInfo(name: string): object {
  const listed = listedModel(name);
  const endOfLife = listed?.endOfLife ?? null;
  return {
    id: name,
    type: 'model',
    display_name: displayName(name),
    created_at: midnight(snapshotDay(name) ?? '1970-01-01'),
    lifecycle: lifecycleOf(name),
    line: lineOf(name),
    deprecated_at: null,
    retires_at: endOfLife === null ? null : midnight(endOfLife),
    max_input_tokens: listed?.contextTokens ?? null,
    max_tokens: listed?.outputTokensMax ?? null,
    capabilities: null,
  };
}

function midnight(day: string): string {
  return `${day}T00:00:00Z`;
}
