// Values are made from the table, so that every line of it is judged: what fits is accepted, and each change that does not is refused at its path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeParams } from '../judge.ts';
import type { Member, Schema } from './kinds.ts';
import { contentByRole, params } from './params.ts';

const context = { version: '2023-06-01', betas: [], strict: false };
const allBetas = ['mcp-client-1', 'context-management-1', 'compact-1', 'structured-outputs-1', 'task-budgets-1'];
const strict = {
  ...context,
  strict: true,
  betas: [...allBetas, 'message-threads-1', 'fallback-credit-1', 'user-profiles-1'],
};

const faultOf = (value: object, from: object = context): string | null =>
  judgeParams(Buffer.from(JSON.stringify(value)), 0, from as typeof context).fault?.message ?? null;

const word = fc.stringMatching(/^[a-zA-Z0-9]{1,8}$/);
const jsonSchemas = fc.constantFrom(
  { type: 'object' },
  { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
);
/** What rules say about several members at once is tried by hand, in judge-rules.test.ts. */
const byHand = new Set(['cache_control', 'tool_use', 'tool_result', 'tool_choice', 'thinking', 'tools']);

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.kind) {
    case 'any':
      return fc.jsonValue();
    case 'never':
      return fc.constant(null);
    case 'string':
      return word;
    case 'integer':
      return fc.integer({ min: Math.max(1, schema.min ?? 1), max: 4_000 });
    case 'number':
      return fc.double({ min: schema.min, max: schema.max, noNaN: true });
    case 'boolean':
      return schema.rule === 'stream' ? fc.constant(false) : fc.boolean();
    case 'choice':
      return fc.constantFrom(...schema.of);
    case 'json schema':
      return jsonSchemas;
    case 'object':
      if (Object.keys(schema.members).length === 0) return fc.dictionary(word, fc.jsonValue(), { maxKeys: 2 });
      return membersOf(schema.members).map((value) => (isBase64(schema) ? { ...value, data: 'aGk=' } : value));
    case 'tagged':
      return fc.oneof(
        ...Object.entries(schema.variants)
          .filter(([tag]) => !byHand.has(tag))
          .map(([type, variant]) => fitting(variant).map((value) => ({ type, ...(value as object) }))),
      );
    case 'list':
      return fc.array(fitting(schema.of), { maxLength: 2 });
    case 'either':
      return fc.oneof(...schema.of.map(fitting));
  }
}

const isBase64 = (schema: Schema): boolean => schema.kind === 'object' && schema.rule?.startsWith('base64') === true;

function membersOf(members: Readonly<Record<string, Member>>): fc.Arbitrary<Record<string, unknown>> {
  const used = Object.entries(members).filter(
    ([name, { inBatch, schema }]) => !byHand.has(name) && inBatch === undefined && schema.kind !== 'never',
  );
  return fc.record(Object.fromEntries(used.map(([name, { schema }]) => [name, fitting(schema)])), {
    requiredKeys: used.filter(([, member]) => member.required).map(([name]) => name),
  });
}

const message = fc
  .constantFrom(...(Object.keys(contentByRole) as (keyof typeof contentByRole)[]))
  .chain((role) => fitting(contentByRole[role]).map((content) => ({ role, content })));
const fittingParams = fc
  .tuple(membersOf(params), fc.array(message, { minLength: 1, maxLength: 3 }))
  .map(([fields, messages]) => ({ ...fields, messages }) as Record<string, unknown>);

type Mutant = { readonly path: string; readonly whole: object };
type Spot = { readonly value: unknown; readonly path: string; readonly put: (value: unknown) => object };

const anythingElse: Readonly<Partial<Record<Schema['kind'], unknown>>> = {
  string: 7,
  integer: 'seven',
  number: 'seven',
  boolean: 'yes',
  choice: 'of the future',
  'json schema': { type: 7 },
  object: 7,
  tagged: 7,
  list: {},
  either: 7,
};

/** Every place of a value, made wrong: another type, nothing where something must be, out of range. */
function mutants(schema: Schema, { value, path, put }: Spot): readonly Mutant[] {
  const wrong = anythingElse[schema.kind];
  const here: Mutant[] = wrong === undefined ? [] : [{ path, whole: put(wrong) }];
  if (schema.kind === 'integer' && schema.min !== undefined) here.push({ path, whole: put(schema.min - 1) });
  if (schema.kind === 'number') here.push({ path, whole: put(schema.max + 1) }, { path, whole: put(schema.min - 1) });
  return [...here, ...inside(schema, { value, path, put })];
}

function inside(schema: Schema, { value, path, put }: Spot): readonly Mutant[] {
  if (schema.kind === 'either') {
    const kind = typeof value === 'string' ? 'string' : Array.isArray(value) ? 'list' : 'object';
    const taken = schema.of.find((one) => one.kind === kind);
    return taken === undefined ? [] : inside(taken, { value, path, put });
  }
  if (schema.kind === 'list') {
    const list = value as readonly unknown[];
    return list.flatMap((one, index) =>
      mutants(schema.of, { value: one, path: `${path}.${index}`, put: (next) => put(list.with(index, next)) }),
    );
  }
  if (schema.kind === 'tagged') {
    const { type } = value as { type: string };
    return inside(schema.variants[type], { value, path: `${path}.${type}`, put });
  }
  return schema.kind === 'object' ? insideMembers(schema.members, { value, path, put }) : [];
}

function insideMembers(members: Readonly<Record<string, Member>>, { value, path, put }: Spot): readonly Mutant[] {
  const object = value as Readonly<Record<string, unknown>>;
  return Object.entries(members).flatMap(([name, { schema, required }]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const without = required ? [{ path: at, whole: put({ ...object, [name]: undefined }) }] : [];
    if (object[name] === undefined || object[name] === null) return without;
    const spot = { value: object[name], path: at, put: (next: unknown) => put({ ...object, [name]: next }) };
    return [...without, ...mutants(schema, spot)];
  });
}

test('what fits the table is accepted, strict or not', () => {
  fc.assert(
    fc.property(fittingParams, (value) => {
      assert.equal(faultOf(value), null);
      assert.equal(faultOf(value, strict), null);
    }),
    { numRuns: 500 },
  );
});

test('what does not fit is refused, and the error begins with its path', () => {
  const fields = Object.fromEntries(Object.entries(params).filter(([name]) => name !== 'messages'));
  fc.assert(
    fc.property(fittingParams, fc.nat(), (value, pick) => {
      const put = (next: unknown): object => next as object;
      const list = value.messages as readonly { role: keyof typeof contentByRole; content: unknown }[];
      const wrong = [
        ...insideMembers(fields, { value, path: '', put }),
        ...list.flatMap(({ role, content }, index) =>
          mutants(contentByRole[role], {
            value: content,
            path: `messages.${index}.content`,
            put: (next) => ({ ...value, messages: list.with(index, { role, content: next } as never) }),
          }),
        ),
      ];
      const { path, whole } = wrong[pick % wrong.length];
      const fault = faultOf(whole);
      assert.ok(fault?.startsWith(path), `${path} in ${JSON.stringify(whole)}: ${fault}`);
    }),
    { numRuns: 2_000 },
  );
});
