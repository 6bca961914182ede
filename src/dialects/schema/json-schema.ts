/** Writes the table of params as JSON Schema, for openapi.json: the same data that the judge reads bytes by. */
import type { Member, ObjectSchema, Schema, TaggedSchema } from './kinds.ts';
import { contentByRole, message, params } from './params.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The components by name. `MessageParams` is what `params` of a batch and the body of a message may hold. */
export function paramsComponents(): Readonly<Record<string, JsonSchema>> {
  const components: Components = new Map();
  components.set(message.title ?? '', messageSchema(components));
  components.set('MessageParams', { ...membersSchema(params, components), type: 'object' });
  const counted = Object.entries(params).filter(([, { onlyForAnswers }]) => onlyForAnswers !== true);
  components.set('CountParams', { ...membersSchema(Object.fromEntries(counted), components), type: 'object' });
  return Object.fromEntries(components);
}

type Components = Map<string, JsonSchema>;

/** What a message may hold depends on its role. */
function messageSchema(components: Components): JsonSchema {
  const oneOf = Object.entries(contentByRole).map(([role, content]) => ({
    type: 'object',
    required: ['role', 'content'],
    properties: { role: { const: role }, content: render(content, components) },
  }));
  return { oneOf };
}

function render(schema: Schema, components: Components): JsonSchema {
  switch (schema.kind) {
    case 'any':
      return {};
    case 'never':
      return { not: {} };
    case 'string':
      return {
        type: 'string',
        ...(schema.min === undefined ? {} : { minLength: schema.min }),
        ...(schema.max === undefined ? {} : { maxLength: schema.max }),
        ...(schema.pattern === undefined ? {} : { pattern: schema.pattern.source }),
      };
    case 'integer':
      if (schema.rule === 'max tokens') return { type: 'integer', minimum: 0, description: 'At least 1 in a batch.' };
      return { type: 'integer', ...(schema.min === undefined ? {} : { minimum: schema.min }) };
    case 'number':
      return { type: 'number', minimum: schema.min, maximum: schema.max };
    case 'boolean':
      return { type: 'boolean' };
    case 'choice':
      return schema.of.length === 1 ? { const: schema.of[0] } : { enum: schema.of };
    case 'json schema':
      return jsonSchemaOf(schema.ofObject);
    case 'object':
      return named(schema.title, components, () => objectSchema(schema, components));
    case 'tagged':
      return named(schema.title, components, () => taggedSchema(schema, components));
    case 'list':
      return { type: 'array', items: render(schema.of, components) };
    case 'either':
      return { oneOf: schema.of.map((one) => render(one, components)) };
  }
}

function named(title: string | undefined, components: Components, make: () => JsonSchema): JsonSchema {
  if (title === undefined) return make();
  if (!components.has(title)) {
    components.set(title, {});
    components.set(title, make());
  }
  return { $ref: `#/components/schemas/${title}` };
}

function jsonSchemaOf(ofObject: boolean): JsonSchema {
  const description = 'A JSON Schema, draft 2020-12.';
  if (!ofObject) return { type: 'object', description };
  return { type: 'object', description, required: ['type'], properties: { type: { const: 'object' } } };
}

function objectSchema(schema: ObjectSchema, components: Components): JsonSchema {
  return { type: 'object', ...membersSchema(schema.members, components) };
}

/** A name stands for one shape under any of the types that have it. */
function taggedSchema(schema: TaggedSchema, components: Components): JsonSchema {
  const byShape = Map.groupBy(Object.entries(schema.variants), ([, variant]) => variant);
  const oneOf = [...byShape].map(([variant, entries]) => {
    const tags = entries.map(([tag]) => tag);
    const untyped = schema.untyped !== undefined && tags.includes(schema.untyped);
    const type = tags.length === 1 && !untyped ? { const: tags[0] } : { enum: untyped ? [...tags, null] : tags };
    return named(variant.title, components, () => {
      const { properties, required } = membersSchema(variant.members, components);
      return {
        type: 'object',
        required: untyped ? required : ['type', ...(required as readonly string[])],
        properties: { type, ...(properties as object) },
      };
    });
  });
  const others =
    schema.closed === true ? {} : { description: 'Other types travel on unread, unless the server is strict.' };
  return { oneOf, ...others };
}

function membersSchema(members: Readonly<Record<string, Member>>, components: Components): JsonSchema {
  const entries = Object.entries(members).filter(([, { schema }]) => schema.kind !== 'never');
  return {
    required: entries.filter(([, member]) => member.required).map(([name]) => name),
    properties: Object.fromEntries(entries.map(([name, member]) => [name, memberSchema(member, components)])),
  };
}

function memberSchema(member: Member, components: Components): JsonSchema {
  const schema = render(member.schema, components);
  const nullable = member.required || member.schema.kind === 'any' ? schema : { anyOf: [schema, { type: 'null' }] };
  const description = remarks(member);
  return { ...nullable, ...(description === '' ? {} : { description }), ...(member.until ? { deprecated: true } : {}) };
}

function remarks({ beta, until, inBatch }: Member): string {
  return [
    ...(beta === undefined ? [] : [`Strict servers want a beta that begins with ${beta}.`]),
    ...(until === undefined ? [] : [`Not since version ${until}.`]),
    ...(inBatch === undefined ? [] : ['Not in a batch.']),
  ].join(' ');
}
