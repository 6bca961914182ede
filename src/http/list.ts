/** The query of a list call: limit and cursors, with the official API's words for what is wrong with them. */
import { AppError } from '../domain/errors.ts';
import { isBatchId } from '../domain/id.ts';
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from '../domain/limits.ts';
import type { PageQuery } from '../ports/catalog.ts';

export function readPageQuery(parameters: URLSearchParams, workspaceId: string): PageQuery {
  const after = readCursor(parameters, 'after_id');
  const before = readCursor(parameters, 'before_id');
  if (after !== null && before !== null) {
    throw new AppError('invalid_request', 'after_id: cannot be used together with before_id');
  }
  return { workspaceId, limit: readLimit(parameters), after, before };
}

export function unknownCursor(query: PageQuery): AppError {
  return query.after === null ? cursorError('before_id', query.before ?? '') : cursorError('after_id', query.after);
}

export function readLimit(parameters: URLSearchParams): number {
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

function readCursor(parameters: URLSearchParams, name: 'after_id' | 'before_id'): string | null {
  const id = parameters.get(name);
  if (id === null || id === '') return null;
  if (!isBatchId(id)) throw cursorError(name, id);
  return id;
}

function limitError(what: string): AppError {
  return new AppError('invalid_request', `limit: ${what}`);
}

function cursorError(name: 'after_id' | 'before_id', id: string): AppError {
  return new AppError('invalid_request', `${name}: Message Batch ${id} not found.`);
}
