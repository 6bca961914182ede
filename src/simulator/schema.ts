/** JSON that fits a JSON Schema, drawn from a seed: for structured output and for the input of tools. */
import { SIMULATED_VALUES_MAX } from '../domain/limits.ts';
import { isObject, type Fields } from './fields.ts';
import type { Draw } from './draw.ts';
import { SchemaShapes, type Branch } from './schema-shapes.ts';
import { drawNumber, drawString } from './schema-scalars.ts';

/** Deeper than this only what is required is drawn. */
const GENEROUS_DEPTH = 4;
/** Beyond so many values only what is required is drawn. */
const GENEROUS_VALUES = 150;
const DEPTH_MAX = 64;
/** A long text counts as many values: many long ones must not add up to gigabytes. */
const LETTERS_PER_VALUE = 256;
const ITEMS_TYPICAL = 3;
/** Draws for one item that must differ from its neighbours. */
const UNIQUE_DRAWS_MAX = 20;

export type SchemaWish = {
  readonly schema: unknown;
  readonly draw: Draw;
  /** Only what the schema requires: the shortest form, for answers that have little room. */
  readonly minimal?: boolean;
};

/** A value that fits; where the schema is beyond the simulator (docs/simulator.md names what it knows), a value near it. */
export function drawJson({ schema, draw, minimal = false }: SchemaWish): unknown {
  const shapes = new SchemaShapes(schema);
  return drawValue({ shapes, draw, minimal, values: 0 }, { schema, depth: 0, name: 'value' });
}

type Drawing = { readonly shapes: SchemaShapes; readonly draw: Draw; readonly minimal: boolean; values: number };
type Place = { readonly schema: unknown; readonly depth: number; readonly name: string };

function drawValue(drawing: Drawing, { schema, depth, name }: Place): unknown {
  drawing.values += 1;
  // Only a schema that no value fits goes so deep.
  if (drawing.values > SIMULATED_VALUES_MAX || depth > DEPTH_MAX) return null;
  const { shapes, draw } = drawing;
  const shape = shapes.shapeOf(schema);
  if ('const' in shape) return counted(drawing, shape['const']);
  const choices = shape['enum'];
  if (Array.isArray(choices) && choices.length > 0) return counted(drawing, draw.pick(choices as readonly unknown[]));
  const branches = shapes.branchesOf(shape);
  if (branches !== null) return drawValue(drawing, { schema: pickBranch(drawing, branches, depth), depth, name });
  switch (typeOf(shape, draw)) {
    case 'object':
      return drawObject(drawing, shape, depth);
    case 'array':
      return drawArray(drawing, shape, { depth, name });
    case 'integer':
      return drawNumber(shape, { draw, whole: true });
    case 'number':
      return drawNumber(shape, { draw, whole: false });
    case 'boolean':
      return draw.word() % 2 === 0;
    case 'null':
      return null;
    default:
      return counted(drawing, drawString(shape, { draw, name }));
  }
}

/** As many values as it is long. */
function counted<T>(drawing: Drawing, value: T): T {
  const length = typeof value === 'string' ? value.length : (JSON.stringify(value)?.length ?? 0);
  drawing.values += Math.floor(length / LETTERS_PER_VALUE);
  return value;
}

/** Any branch while there is room, the one that ends soonest when there is none: recursion comes to an end. */
function pickBranch(drawing: Drawing, branches: readonly Branch[], depth: number): unknown {
  if (branches.length === 0) return { const: null };
  if (isGenerous(drawing, depth)) return drawing.draw.pick(branches).schema;
  return branches.reduce((one, other) => (other.height < one.height ? other : one)).schema;
}

function isGenerous({ minimal, values }: Drawing, depth: number): boolean {
  return !minimal && depth < GENEROUS_DEPTH && values < GENEROUS_VALUES;
}

function drawObject(drawing: Drawing, shape: Fields, depth: number): Fields {
  const { shapes, draw } = drawing;
  const properties = isObject(shape['properties']) ? shape['properties'] : {};
  const required = new Set(Array.isArray(shape['required']) ? (shape['required'] as readonly unknown[]) : []);
  const least = countOf(shape['minProperties'], 0);
  const most = countOf(shape['maxProperties'], Infinity);
  const value: Record<string, unknown> = {};
  const put = (name: string, schema: unknown): void => {
    // A property of this name must not become the prototype.
    Object.defineProperty(value, counted(drawing, name), {
      value: drawValue(drawing, { schema, depth: depth + 1, name }),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  };
  const names = Object.keys(properties);
  const optional = new Set(names.filter((name) => !required.has(name) && shapes.heightOf(properties[name]) < Infinity));
  let room = most - required.size;
  let lacking = least - required.size;
  for (const name of names) {
    const mayStay = optional.has(name);
    const wanted = lacking > 0 || (isGenerous(drawing, depth) && draw.word() % 4 !== 0);
    if (!required.has(name) && !(mayStay && wanted && room > 0)) continue;
    put(name, properties[name]);
    if (!required.has(name)) {
      room -= 1;
      lacking -= 1;
    }
  }
  const others = shape['additionalProperties'];
  for (const name of required) if (typeof name === 'string' && !Object.hasOwn(value, name)) put(name, others ?? true);
  const isMap = names.length === 0 && isObject(others) && isGenerous(drawing, depth);
  const extra = Math.min(Math.max(lacking, isMap ? 2 : 0), room, SIMULATED_VALUES_MAX);
  if (others !== false) for (let at = 1; at <= extra; at += 1) put(`key_${at}`, others ?? true);
  return value;
}

function drawArray(drawing: Drawing, shape: Fields, { depth, name }: Omit<Place, 'schema'>): readonly unknown[] {
  const { shapes, draw } = drawing;
  const first = Array.isArray(shape['prefixItems']) ? (shape['prefixItems'] as readonly unknown[]) : [];
  const rest = shape['items'] ?? true;
  const least = countOf(shape['minItems'], 0);
  const most = Math.max(least, countOf(shape['maxItems'], Math.max(least, first.length, ITEMS_TYPICAL)));
  const generous = isGenerous(drawing, depth) && shapes.heightOf(rest) < Infinity;
  const span = generous ? Math.min(most, Math.max(least, ITEMS_TYPICAL)) - least : 0;
  const wanted = least + (span > 0 ? 1 + (draw.word() % span) : 0);
  const count = Math.min(Math.max(wanted, Math.min(first.length, most)), SIMULATED_VALUES_MAX);
  const items: unknown[] = [];
  const seen = new Set<string>();
  for (let at = 0; at < count; at += 1) {
    if (at >= first.length && rest === false) break;
    const place = { schema: first[at] ?? rest, depth: depth + 1, name };
    let item = drawValue(drawing, place);
    if (shape['uniqueItems'] === true) {
      let draws = 0;
      while (seen.has(JSON.stringify(item)) && draws++ < UNIQUE_DRAWS_MAX) item = drawValue(drawing, place);
      if (seen.has(JSON.stringify(item)) && at >= least) break;
      seen.add(JSON.stringify(item));
    }
    items.push(item);
  }
  return items;
}

/** What it says, or what its other words are about. */
function typeOf(shape: Fields, draw: Draw): string {
  const type = shape['type'];
  if (typeof type === 'string') return type;
  if (Array.isArray(type) && type.length > 0) return String(draw.pick(type as readonly unknown[]));
  if ('properties' in shape || 'required' in shape || 'additionalProperties' in shape) return 'object';
  if ('items' in shape || 'prefixItems' in shape || 'minItems' in shape) return 'array';
  const isNumber = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'].some(
    (word) => word in shape,
  );
  return isNumber ? 'number' : 'string';
}

function countOf(value: unknown, fallback: number): number {
  return typeof value === 'number' && value >= 0 ? Math.ceil(value) : fallback;
}
