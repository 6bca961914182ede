/** The words in which the shape of params is described, as data: the judge reads the bytes by it, and openapi.json is written from it. */

export type Schema =
  | { readonly kind: 'any' }
  /** What must not be there, even where a server is not strict. */
  | { readonly kind: 'never' }
  | StringSchema
  | { readonly kind: 'integer'; readonly min?: number; readonly rule?: string }
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'boolean'; readonly rule?: string }
  | { readonly kind: 'choice'; readonly of: readonly string[] }
  | ObjectSchema
  | TaggedSchema
  | { readonly kind: 'list'; readonly of: Schema }
  | { readonly kind: 'either'; readonly of: readonly Schema[] }
  /** A JSON Schema: an object that describes values. */
  | { readonly kind: 'json schema'; readonly ofObject: boolean };

export type StringSchema = {
  readonly kind: 'string';
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  /** The name of a rule of judge-rules.ts that looks at the value once its shape is right. */
  readonly rule?: string;
};

export type ObjectSchema = {
  readonly kind: 'object';
  readonly members: Readonly<Record<string, Member>>;
  /** Whether it may have any other members, strict or not. */
  readonly open?: boolean;
  readonly rule?: string;
  /** Its name in openapi.json, where it stands in several places. */
  readonly title?: string;
};

/** Objects told apart by their member `type`. */
export type TaggedSchema = {
  readonly kind: 'tagged';
  readonly title: string;
  readonly variants: Readonly<Record<string, ObjectSchema>>;
  /** Whether types that are not listed are refused even where the server is not strict. */
  readonly closed?: boolean;
  /** What an object without a type is. */
  readonly untyped?: string;
  /** Types that exist, but not here: what is said of them, by type. */
  readonly misplaced?: Readonly<Record<string, string>>;
};

export type Member = {
  readonly schema: Schema;
  readonly required: boolean;
  /** Strict servers want a beta that begins so. */
  readonly beta?: string;
  /** The version that removed it. */
  readonly until?: '2026-10-21';
  /** What a batch does with it; where nothing is said, it allows it. */
  readonly inBatch?: 'refused' | 'refused when active';
  /** A count of tokens does not need it, and strict servers refuse it there. */
  readonly onlyForAnswers?: boolean;
};

type MemberOptions = Omit<Member, 'schema' | 'required'>;

export function required(schema: Schema, options: MemberOptions = {}): Member {
  return { schema, required: true, ...options };
}

export function optional(schema: Schema, options: MemberOptions = {}): Member {
  return { schema, required: false, ...options };
}

export function object(
  members: Readonly<Record<string, Member>>,
  options: Omit<ObjectSchema, 'kind' | 'members'> = {},
): ObjectSchema {
  return { kind: 'object', members, ...options };
}

export function tagged(
  title: string,
  variants: Readonly<Record<string, ObjectSchema>>,
  options: Omit<TaggedSchema, 'kind' | 'variants' | 'title'> = {},
): TaggedSchema {
  return { kind: 'tagged', title, variants, ...options };
}

export function list(of: Schema): Schema {
  return { kind: 'list', of };
}

export function choice(...of: readonly string[]): Schema {
  return { kind: 'choice', of };
}

export function either(...of: readonly Schema[]): Schema {
  return { kind: 'either', of };
}

export function text(options: Omit<StringSchema, 'kind'> = {}): StringSchema {
  return { kind: 'string', ...options };
}

export const any: Schema = { kind: 'any' };
export const never: Schema = { kind: 'never' };
export const truth: Schema = { kind: 'boolean' };
export const integer: Schema = { kind: 'integer' };
export const dictionary: ObjectSchema = { kind: 'object', members: {}, open: true };
