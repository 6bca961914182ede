import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lanesOfSeed, startDraw } from './draw.ts';
import { drawPattern } from './schema-pattern.ts';
import { drawJson } from './schema.ts';

type Schema = Readonly<Record<string, unknown>>;

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);

function drawn(schema: unknown, seed: number, minimal = false): unknown {
  return drawJson({ schema, draw: startDraw(lanesOfSeed(seed)), minimal });
}

const formats: Readonly<Record<string, RegExp>> = {
  date: /^\d{4}-\d\d-\d\d$/,
  time: /^\d\d:\d\d:\d\dZ$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  duration: /^PT\d+M$/,
  email: /^[^@\s]+@[^@\s]+\.[a-z]+$/,
  hostname: /^[a-z0-9.-]+$/,
  uri: /^https:\/\//,
  ipv4: /^\d+\.\d+\.\d+\.\d+$/,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
};

/** What the value breaks, in words; null where it fits. The generator's other half, written from the standard. */
function fault(value: unknown, schema: unknown, root: Schema): string | null {
  if (typeof schema !== 'object' || schema === null) return schema === false ? 'false allows nothing' : null;
  const s = schema as Schema;
  if (typeof s['$ref'] === 'string') {
    const target = (s['$ref'] as string)
      .split('/')
      .slice(1)
      .reduce<unknown>((place, step) => (place as Schema)[step], root);
    const wrong = fault(value, target, root);
    if (wrong !== null) return wrong;
  }
  if ('const' in s && JSON.stringify(s['const']) !== JSON.stringify(value)) return 'const';
  if (Array.isArray(s['enum']) && !s['enum'].some((one) => JSON.stringify(one) === JSON.stringify(value)))
    return 'enum';
  if (Array.isArray(s['allOf'])) for (const part of s['allOf']) if (fault(value, part, root) !== null) return 'allOf';
  for (const word of ['anyOf', 'oneOf']) {
    const branches = s[word];
    if (Array.isArray(branches) && branches.every((branch) => fault(value, branch, root) !== null)) return word;
  }
  if ('type' in s && ![s['type']].flat().some((type) => isOfType(value, type as string))) return `type ${s['type']}`;
  if (typeof value === 'number') return numberFault(value, s);
  if (typeof value === 'string') return stringFault(value, s);
  if (Array.isArray(value)) return arrayFault(value, s, root);
  if (typeof value === 'object' && value !== null) return objectFault(value as Schema, s, root);
  return null;
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

function numberFault(value: number, s: Schema): string | null {
  const bound = (word: string): number | undefined => s[word] as number | undefined;
  if (value < (bound('minimum') ?? -Infinity) || value > (bound('maximum') ?? Infinity)) return 'range';
  if (value <= (bound('exclusiveMinimum') ?? -Infinity) || value >= (bound('exclusiveMaximum') ?? Infinity))
    return 'exclusive range';
  const step = bound('multipleOf');
  return step !== undefined && Math.abs(value / step - Math.round(value / step)) > 1e-9 ? 'multipleOf' : null;
}

function stringFault(value: string, s: Schema): string | null {
  if (value.length < ((s['minLength'] as number) ?? 0)) return 'minLength';
  if (value.length > ((s['maxLength'] as number) ?? Infinity)) return 'maxLength';
  if (typeof s['pattern'] === 'string' && !new RegExp(s['pattern']).test(value)) return `pattern ${value}`;
  const format = formats[String(s['format'])];
  return format !== undefined && !format.test(value) ? `format ${value}` : null;
}

function arrayFault(value: readonly unknown[], s: Schema, root: Schema): string | null {
  if (value.length < ((s['minItems'] as number) ?? 0) || value.length > ((s['maxItems'] as number) ?? Infinity))
    return 'items count';
  if (s['uniqueItems'] === true && new Set(value.map((item) => JSON.stringify(item))).size < value.length)
    return 'uniqueItems';
  const first = (s['prefixItems'] as readonly unknown[]) ?? [];
  return (
    value.map((item, at) => fault(item, first[at] ?? s['items'] ?? true, root)).find((one) => one !== null) ?? null
  );
}

function objectFault(value: Schema, s: Schema, root: Schema): string | null {
  const properties = (s['properties'] ?? {}) as Schema;
  for (const name of (s['required'] as readonly string[]) ?? [])
    if (!Object.hasOwn(value, name)) return `lacks ${name}`;
  for (const [name, part] of Object.entries(value)) {
    const own = Object.hasOwn(properties, name) ? properties[name] : (s['additionalProperties'] ?? true);
    const wrong = fault(part, own, root);
    if (wrong !== null) return `${name}: ${wrong}`;
  }
  return null;
}

const table: Readonly<Record<string, Schema>> = {
  scalars: {
    type: 'object',
    properties: {
      name: { type: 'string' },
      age: { type: 'integer', minimum: 18, maximum: 20 },
      share: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
      even: { type: 'integer', multipleOf: 2, minimum: 3, maximum: 9 },
      tenths: { type: 'number', multipleOf: 0.1, minimum: 0.25, maximum: 0.5 },
      low: { type: 'integer', maximum: -5 },
      fine: { type: 'boolean' },
      nothing: { type: 'null' },
      perhaps: { type: ['string', 'null'] },
    },
    required: ['name', 'age', 'share', 'even', 'tenths', 'low', 'fine', 'nothing', 'perhaps'],
    additionalProperties: false,
  },
  lengths: {
    type: 'array',
    prefixItems: [
      { type: 'string', minLength: 80 },
      { type: 'string', maxLength: 3 },
      { type: 'string', minLength: 5, maxLength: 5 },
    ],
    minItems: 3,
    items: false,
  },
  choices: { type: 'array', items: { enum: ['positive', 'negative', 3, null] }, minItems: 5, maxItems: 7 },
  constant: { const: { exactly: ['this'] } },
  unique: { type: 'array', items: { enum: [1, 2, 3, 4] }, minItems: 4, uniqueItems: true },
  alternatives: {
    anyOf: [
      { type: 'object', properties: { kind: { const: 'a' }, a: { type: 'integer' } }, required: ['kind', 'a'] },
      { type: 'object', properties: { kind: { const: 'b' }, b: { type: 'string' } }, required: ['kind', 'b'] },
      { type: 'null' },
    ],
  },
  joined: {
    allOf: [{ $ref: '#/$defs/named' }, { type: 'object', properties: { age: { type: 'integer', minimum: 3 } } }],
    required: ['age'],
    $defs: { named: { type: 'object', properties: { name: { type: 'string', minLength: 2 } }, required: ['name'] } },
  },
  recursion: {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: {
          value: { type: 'integer' },
          left: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
          right: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
          children: { type: 'array', items: { $ref: '#/$defs/node' } },
        },
        required: ['value', 'left', 'right', 'children'],
        additionalProperties: false,
      },
    },
  },
  map: { type: 'object', additionalProperties: { type: 'integer', minimum: 1 }, minProperties: 2 },
  formats: {
    type: 'object',
    properties: Object.fromEntries(Object.keys(formats).map((format) => [format, { type: 'string', format }])),
    required: Object.keys(formats),
  },
};

for (const [name, schema] of Object.entries(table)) {
  test(`draws ${name} that fit`, () => {
    for (const seed of SEEDS) {
      for (const minimal of [false, true]) {
        const value = drawn(schema, seed, minimal);
        assert.equal(fault(value, schema, schema), null, JSON.stringify(value));
      }
    }
  });
}

test('patterns of common kinds are matched, and unknown ones are given up', () => {
  const patterns = [
    '^[A-Z]{3}-\\d{4}$',
    '^(foo|bar)+$',
    '^\\+?[1-9]\\d{1,14}$',
    '^#[0-9a-fA-F]{6}$',
    '^[^aeiou]{4}$',
    '^(?:ab)?c*(d|e)\\.$',
    '^(?<year>\\d{4})/(0[1-9]|1[0-2])$',
    '^\\w+@\\w+\\.com$',
    '^.{2,5}$',
    '\\u0041[\\w-]\\x42',
  ];
  for (const pattern of patterns) {
    for (const seed of SEEDS) {
      const text = drawPattern(pattern, { draw: startDraw(lanesOfSeed(seed)), least: 0 });
      assert.match(text ?? assert.fail(pattern), new RegExp(pattern));
    }
  }
  for (const pattern of [
    '(?=a)b',
    '(a)\\1',
    '\\p{L}',
    '[',
    '(',
    '*',
    `${'('.repeat(80)}${')'.repeat(80)}`,
    '(((){1000}){1000}){1000}',
  ])
    assert.equal(drawPattern(pattern, { draw: startDraw(lanesOfSeed(1)), least: 0 }), null, pattern);
});

test('a pattern and a length hold together', () => {
  const schema = { type: 'string', pattern: '^[a-z]+$', minLength: 20, maxLength: 40 };
  for (const seed of SEEDS) assert.equal(fault(drawn(schema, seed), schema, schema), null);
});

test('no schema makes it hang, throw or blow up', () => {
  const endless = { $ref: '#' };
  const needsItself = { type: 'object', properties: { me: { $ref: '#' } }, required: ['me'] };
  const wide = { $defs: { a: { type: 'array', minItems: 9, items: { $ref: '#/$defs/a' } } }, $ref: '#/$defs/a' };
  const choosesItself = { anyOf: [{ $ref: '#' }, { $ref: '#' }] };
  const huge = { type: 'array', minItems: 1e9, items: { type: 'string', minLength: 1e9 } };
  const odd = { type: 'object', properties: 7, required: [1, '__proto__'], items: 'x', $ref: '#/nowhere' };
  for (const schema of [endless, needsItself, wide, choosesItself, odd, true, false, null, 7, { type: 'alien' }])
    for (const seed of [1, 2, 3]) assert.ok(JSON.stringify(drawn(schema, seed) ?? null).length < 1_000_000);
  assert.ok(JSON.stringify(drawn({ ...huge, items: { type: 'integer' } }, 1)).length < 100_000);
  assert.ok(JSON.stringify(drawn(huge, 1)).length < 3_000_000);
});

test('the same seed draws the same', () => {
  assert.deepEqual(drawn(table['recursion'], 5), drawn(table['recursion'], 5));
});

const anyScalar = fc.oneof(
  fc.record({
    type: fc.constant('string'),
    minLength: fc.nat(8),
    format: fc.constantFrom('date', 'uuid', 'email', 'x'),
  }),
  fc.record({ type: fc.constant('string'), maxLength: fc.nat(12) }),
  fc
    .tuple(fc.constantFrom('integer', 'number'), fc.integer({ min: -1_000, max: 1_000 }), fc.nat(50))
    .map(([type, minimum, span]) => ({ type, minimum, maximum: minimum + span })),
  fc.record({ enum: fc.array(fc.jsonValue(), { minLength: 1, maxLength: 3 }) }),
  fc.record({ type: fc.constantFrom('boolean', 'null', 'integer', 'number', 'string') }),
);
const { schema: anySchema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    anyScalar,
    fc
      .tuple(fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), tie('schema'), { maxKeys: 4 }), fc.boolean())
      .map(([properties, isStrict]) => ({
        type: 'object',
        properties,
        required: Object.keys(properties).filter((_, at) => isStrict || at % 2 === 0),
        additionalProperties: !isStrict,
      })),
    fc
      .tuple(tie('schema'), fc.nat(3), fc.nat(3))
      .map(([items, minItems, more]) => ({ type: 'array', items, minItems, maxItems: minItems + more })),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
  ),
}));

test('property: what is drawn fits the schema it was drawn for', () => {
  fc.assert(
    fc.property(anySchema, fc.nat(1_000), fc.boolean(), (schema, seed, minimal) => {
      const value = drawn(schema, seed, minimal);
      // What JSON cannot say would not reach a client as it was drawn.
      assert.equal(fault(JSON.parse(JSON.stringify(value)), schema, schema), null);
    }),
    { numRuns: 400 },
  );
});

test('a hostile schema ends soon, and makes no huge document', () => {
  const long = 'x'.repeat(1_000_000);
  const parts = Array.from({ length: 6 }, () => ({ $ref: '#/$defs/a' }));
  const hostile: readonly Schema[] = [
    { $defs: { a: { allOf: parts } }, $ref: '#/$defs/a' },
    { type: 'array', minItems: 5_000, items: { const: long } },
    { type: 'array', minItems: 5_000, items: { enum: [[long]] } },
    { type: 'array', minItems: 5_000, items: { properties: { [long]: { type: 'null' } }, required: [long] } },
  ];
  for (const schema of hostile) assert.ok(JSON.stringify(drawn(schema, 1)).length < 4_000_000);
});
