/** The one way to say that a request cannot be carried, and typed looks into parsed JSON. */
import { RequestFault } from '../upstream.ts';

export type Json = Readonly<Record<string, unknown>>;

/** `path` is where the request says it, such as `messages.2.content.0`. */
export function cannot(path: string, why: string): never {
  throw new RequestFault({ type: 'invalid_request_error', message: `${path}: ${why}` });
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectAt(value: unknown, path: string): Json {
  return isObject(value) ? value : cannot(path, 'Input should be an object');
}

export function listAt(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : cannot(path, 'Input should be a list');
}

export function stringAt(value: unknown, path: string): string {
  return typeof value === 'string' ? value : cannot(path, 'Input should be a string');
}

/** Absent, null, an empty list and an empty object ask for nothing. */
export function asksNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Every member must be known: what is left unread would be dropped without a word. */
export function knownOnly(value: Json, { known, path }: { known: ReadonlySet<string>; path: string }): void {
  for (const name in value) {
    if (!known.has(name) && !asksNothing(value[name]))
      cannot(path === '' ? name : `${path}.${name}`, 'cannot be carried to an OpenAI-compatible server.');
  }
}
