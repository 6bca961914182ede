/** The query of a list call: limit and cursors, with the official API's words for what is wrong with them. */
import { AppError } from '../domain/errors.ts';
import { isBatchId } from '../domain/id.ts';
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from '../domain/limits.ts';
import type { PageQuery } from '../ports/catalog.ts';

export type Cursors = { readonly limit: number; readonly after: string | null; readonly before: string | null };

export function readPageQuery(parameters: URLSearchParams, workspaceId: string): PageQuery {
  const cursors = readCursors(parameters);
  for (const [name, id] of [['after_id', cursors.after] as const, ['before_id', cursors.before] as const]) {
    if (id !== null && !isBatchId(id)) throw cursorError(name, id);
  }
  return { workspaceId, ...cursors };
}

/** An empty cursor is none. */
export function readCursors(parameters: URLSearchParams): Cursors {
  const after = parameters.get('after_id') || null;
  const before = parameters.get('before_id') || null;
  if (after !== null && before !== null) {
    throw new AppError('invalid_request', 'after_id: cannot be used together with before_id');
  }
  return { limit: readLimit(parameters), after, before };
}

export function unknownCursor(query: PageQuery): AppError {
  return query.after === null ? cursorError('before_id', query.before ?? '') : cursorError('after_id', query.after);
}

function readLimit(parameters: URLSearchParams): number {
  const text = parameters.getAll('limit').at(-1);
  if (text === undefined) return LIST_LIMIT_DEFAULT;
  if (!/^\s*[+-]?\d+\s*$/.test(text)) {
    throw limitError('Input should be a valid integer, unable to parse string as an integer');
  }
  const limit = Number(text);
  if (limit < 1) throw limitError('Input should be greater than or equal to 1');
  if (limit > LIST_LIMIT_MAX) throw limitError(`Input should be less than or equal to ${LIST_LIMIT_MAX}`);
  return limit;
}

function limitError(what: string): AppError {
  return new AppError('invalid_request', `limit: ${what}`);
}

function cursorError(name: 'after_id' | 'before_id', id: string): AppError {
  return new AppError('invalid_request', `${name}: Message Batch ${id} not found.`);
}
