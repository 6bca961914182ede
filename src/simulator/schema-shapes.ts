/** What a schema says once references are followed and parts are joined, and how deep its smallest value is. */
import { SIMULATED_VALUES_MAX } from '../domain/limits.ts';
import { isObject, type Fields } from './fields.ts';

/** A schema that cannot end within so many levels is taken as one that cannot end. */
const HEIGHT_MAX = 24;
/** References that lead to references, and parts of parts. */
const HOPS_MAX = 32;
/** Parts that lead to parts in several ways double with every hop; a document of schemas in good faith needs far fewer. */
const JOINED_WORDS_MAX = 200_000;

export type Branch = { readonly height: number; readonly schema: unknown };

export class SchemaShapes {
  readonly #root: unknown;
  readonly #shapes = new Map<unknown, Fields>();
  readonly #branches = new Map<Fields, readonly Branch[]>();
  readonly #heights = new Map<unknown, number>();
  /** Up to which height each schema is known not to end. */
  readonly #endless = new Map<unknown, number>();
  /** The words and properties of all parts joined so far. */
  #joinedWords = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  shapeOf(schema: unknown): Fields {
    const known = this.#shapes.get(schema);
    if (known !== undefined) return known;
    // Parts that are joined anew at every level would never come to an end.
    if (this.#shapes.size > SIMULATED_VALUES_MAX) return {};
    const shape = this.#joined(schema, 0);
    this.#shapes.set(schema, shape);
    return shape;
  }

  /** The alternatives that end, each with all that the shape says beside them; null where there is no choice. */
  branchesOf(shape: Fields): readonly Branch[] | null {
    const choice = choiceOf(shape);
    if (choice === null) return null;
    const known = this.#branches.get(shape);
    if (known !== undefined) return known;
    const { anyOf: any, oneOf: _, ...rest } = shape;
    // Where both stand, the second is left to the branches of the first.
    const beside = choice === any && shape['oneOf'] !== undefined ? { ...rest, oneOf: shape['oneOf'] } : rest;
    const branches = choice
      .map((branch) => ({ height: this.heightOf(branch), schema: joinTwo(beside, this.shapeOf(branch)) }))
      .filter(({ height }) => height < Infinity);
    this.#branches.set(shape, branches);
    return branches;
  }

  /** Levels of its smallest value; Infinity where it only ever leads to itself. */
  heightOf(schema: unknown): number {
    const known = this.#heights.get(schema);
    if (known !== undefined) return known;
    let height = Infinity;
    for (let limit = 0; limit <= HEIGHT_MAX && height === Infinity; limit += 1) {
      if (this.#endsWithin(schema, limit)) height = limit;
    }
    this.#heights.set(schema, height);
    return height;
  }

  #endsWithin(schema: unknown, limit: number): boolean {
    if (limit < 0 || schema === false) return false;
    const known = this.#heights.get(schema);
    if (known !== undefined) return known <= limit;
    if ((this.#endless.get(schema) ?? -1) >= limit) return false;
    const ends = this.#partsEndWithin(this.shapeOf(schema), limit);
    if (!ends) this.#endless.set(schema, limit);
    return ends;
  }

  #partsEndWithin(shape: Fields, limit: number): boolean {
    if ('const' in shape || 'enum' in shape) return true;
    const choice = choiceOf(shape);
    // The alternatives themselves, not joined ones: a choice that leads back to itself is recognized by them.
    if (choice !== null && !choice.some((branch) => this.#endsWithin(branch, limit - 1))) return false;
    const properties = isObject(shape['properties']) ? shape['properties'] : {};
    const required = Array.isArray(shape['required']) ? (shape['required'] as readonly string[]) : [];
    const must = required.filter((name) => Object.hasOwn(properties, name)).map((name) => properties[name]);
    if (typeof shape['minItems'] === 'number' && shape['minItems'] > 0) must.push(shape['items'] ?? true);
    return must.every((part) => this.#endsWithin(part, limit - 1));
  }

  #joined(schema: unknown, hops: number): Fields {
    if (!isObject(schema) || hops > HOPS_MAX || this.#joinedWords > JOINED_WORDS_MAX) return {};
    this.#joinedWords += 1 + wordsOf(schema);
    const { $ref: reference, allOf: parts, ...own } = schema;
    let shape: Fields = own;
    if (typeof reference === 'string') shape = joinTwo(this.#joined(this.#target(reference), hops + 1), shape);
    if (Array.isArray(parts)) {
      for (const part of parts as readonly unknown[]) shape = joinTwo(shape, this.#joined(part, hops + 1));
    }
    return shape;
  }

  /** Only places inside the document: `#`, `#/$defs/name`, `#/definitions/name`. */
  #target(reference: string): unknown {
    if (!reference.startsWith('#')) return true;
    let place: unknown = this.#root;
    for (const step of reference.slice(1).split('/').slice(1)) {
      const name = unescaped(step);
      place = Array.isArray(place)
        ? place[Number(name)]
        : isObject(place) && Object.hasOwn(place, name)
          ? place[name]
          : undefined;
    }
    return place ?? true;
  }
}

function wordsOf({ properties, ...words }: Fields): number {
  return Object.keys(words).length + (isObject(properties) ? Object.keys(properties).length : 0);
}

function choiceOf(shape: Fields): readonly unknown[] | null {
  const choice = [shape['anyOf'], shape['oneOf']].find((list) => Array.isArray(list) && list.length > 0);
  return (choice as readonly unknown[] | undefined) ?? null;
}

function unescaped(step: string): string {
  const plain = step.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}

/** Both at once: properties and required names of both, the stricter of two bounds, otherwise the second's word. */
function joinTwo(first: Fields, second: Fields): Fields {
  const joined: Record<string, unknown> = { ...first };
  for (const [word, value] of Object.entries(second)) {
    const other = joined[word];
    joined[word] = other === undefined ? value : joinWord(word, other, value);
  }
  return joined;
}

function joinWord(word: string, first: unknown, second: unknown): unknown {
  if (word === 'required' && Array.isArray(first) && Array.isArray(second)) return [...new Set([...first, ...second])];
  if (word === 'properties' && isObject(first) && isObject(second)) {
    const names = [...new Set([...Object.keys(first), ...Object.keys(second)])];
    return Object.fromEntries(
      names.map((name) => [
        name,
        !Object.hasOwn(second, name)
          ? first[name]
          : Object.hasOwn(first, name)
            ? { allOf: [first[name], second[name]] }
            : second[name],
      ]),
    );
  }
  if (word === 'enum' && Array.isArray(first) && Array.isArray(second)) {
    const others = new Set<unknown>(second);
    return first.filter((one) => others.has(one));
  }
  if (word === 'type') return joinTypes(first, second);
  if (word === 'items' && isObject(first) && isObject(second)) return { allOf: [first, second] };
  if (word === 'additionalProperties' && first === false) return false;
  if (typeof first === 'number' && typeof second === 'number') {
    if (/^(min|exclusiveMin)/.test(word)) return Math.max(first, second);
    if (/^(max|exclusiveMax)/.test(word)) return Math.min(first, second);
  }
  return second;
}

function joinTypes(first: unknown, second: unknown): unknown {
  const [left, right] = [[first].flat(), [second].flat()];
  const both = left.filter((type) => right.includes(type) || (type === 'integer' && right.includes('number')));
  if (both.length > 0) return both.length === 1 ? both[0] : both;
  return left.includes('number') && right.includes('integer') ? 'integer' : second;
}
