/** What an answer must fit: a JSON Schema, asked for by the API's own output format or by a forced tool, and checked on return. */
import { Ajv, type AnySchema, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ANSWER_TOOL } from '../results/answer-text.ts';
import { PromptError } from './fault.ts';
import { messageOf } from './template.ts';

export type AnswerSchema = {
  /** What asking for it adds to the params. */
  readonly params: Readonly<Record<string, unknown>>;
  complaintOf(text: string): string | null;
  outputOf(text: string): unknown;
};

export function answerSchema(schema: unknown, mode: 'format' | 'tool'): AnswerSchema {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw new PromptError('the schema is no JSON object');
  const validate = compile(schema);
  if (mode === 'tool' && (schema as { type?: unknown }).type !== 'object') {
    throw new PromptError('a tool takes an object: with --tool-mode the schema must have "type": "object"');
  }
  const check = (text: string): { readonly data: unknown; readonly complaint: string | null } => {
    const parsed = jsonIn(text);
    if (parsed === null) return { data: null, complaint: 'the answer is not JSON' };
    return { data: parsed.data, complaint: validate(parsed.data) ? null : complaintsOf(validate.errors ?? []) };
  };
  return {
    params: mode === 'tool' ? asTool(schema) : { output_config: { format: { type: 'json_schema', schema } } },
    complaintOf: (text) => check(text).complaint,
    outputOf(text) {
      const { data, complaint } = check(text);
      return complaint === null ? data : null;
    },
  };
}

function asTool(schema: object): Record<string, unknown> {
  return {
    tools: [{ name: ANSWER_TOOL, description: 'Gives the answer.', input_schema: schema }],
    tool_choice: { type: 'tool', name: ANSWER_TOOL },
  };
}

const options: Options = { strict: false, allErrors: true, validateFormats: false, logger: false };

function compile(schema: AnySchema & object): ValidateFunction {
  const { $schema: named } = schema as { $schema?: unknown };
  const dialect = typeof named === 'string' ? named : '';
  try {
    if (dialect.includes('2020-12')) return new Ajv2020(options).compile(schema);
    if (dialect.includes('2019-09')) return new Ajv2019(options).compile(schema);
    return new Ajv(options).compile(schema);
  } catch (error) {
    throw new PromptError(`the schema: ${messageOf(error)}`, { cause: error });
  }
}

/** Models that are not held to a format like to fence their JSON; that alone makes no answer wrong. */
function jsonIn(text: string): { readonly data: unknown } | null {
  const fenced = /^\s*```(?:json)?\s*\n([^]*?)\n?\s*```\s*$/.exec(text);
  try {
    return { data: JSON.parse(fenced?.[1] ?? text) };
  } catch {
    return null;
  }
}

const COMPLAINTS_TOLD = 3;

function complaintsOf(errors: readonly ErrorObject[]): string {
  const told = errors.slice(0, COMPLAINTS_TOLD).map(({ instancePath, message = 'does not fit', params }) => {
    const allowed = (params as { allowedValues?: unknown }).allowedValues;
    const { additionalProperty: extra } = params as { additionalProperty?: string };
    const detail = allowed !== undefined ? `: ${JSON.stringify(allowed)}` : extra !== undefined ? `: ${extra}` : '';
    return `${instancePath === '' ? 'the answer' : instancePath} ${message}${detail}`;
  });
  const rest = errors.length - told.length;
  return told.join('; ') + (rest > 0 ? `; and ${rest} more` : '');
}
