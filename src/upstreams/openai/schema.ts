/** Structured output, and whether a schema may be called strict as it is: making it so would change what it means. */
import { SCHEMA_DEPTH_MAX } from '../../domain/limits.ts';
import { cannot, isObject, knownOnly, objectAt, type Json } from './fault.ts';
import type { Profile } from './profile.ts';

const formatMembers = new Set(['type', 'schema', 'name']);

/** `path` is `output_config.format`, or `output_format` in older requests. */
export function responseFormat(format: unknown, { profile, path }: { profile: Profile; path: string }): unknown {
  const { type, schema } = objectAt(format, path);
  if (type !== 'json_schema')
    cannot(`${path}.type`, `${JSON.stringify(type)} cannot be carried to an OpenAI-compatible server.`);
  knownOnly(objectAt(format, path), { known: formatMembers, path });
  const asked = objectAt(schema, `${path}.schema`);
  const strict = profile.strict && qualifiesAsStrict(asked) ? { strict: true } : {};
  return { type: 'json_schema', json_schema: { name: nameOf(asked), schema: asked, ...strict } };
}

/** OpenAI wants a name; a title that can be one says more to the model than ours. */
function nameOf({ title }: Json): string {
  return typeof title === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(title) ? title : 'answer';
}

/** Every object closed and every property of it required, at every depth, and no keyword that OpenAI's strict mode lacks. */
export function qualifiesAsStrict(schema: unknown, depth = 0): boolean {
  if (depth > SCHEMA_DEPTH_MAX || !isObject(schema)) return false;
  if (lacking.some((keyword) => schema[keyword] !== undefined)) return false;
  const { properties, required, additionalProperties, type, items, anyOf } = schema;
  const inner = (value: unknown): boolean => qualifiesAsStrict(value, depth + 1);
  if (type === 'object' || properties !== undefined) {
    if (!isObject(properties) || additionalProperties !== false || !Array.isArray(required)) return false;
    if (!Object.keys(properties).every((name) => required.includes(name))) return false;
    if (!Object.values(properties).every(inner)) return false;
  }
  if (items !== undefined && !inner(items)) return false;
  if (anyOf !== undefined && !(Array.isArray(anyOf) && depth > 0 && anyOf.every(inner))) return false;
  return [schema['$defs'], schema['definitions']].every(
    (definitions) => definitions === undefined || (isObject(definitions) && Object.values(definitions).every(inner)),
  );
}

const lacking =
  'allOf oneOf not if then else patternProperties propertyNames prefixItems contains dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems uniqueItems'.split(
    ' ',
  );
