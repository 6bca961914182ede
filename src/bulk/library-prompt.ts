/** The prompt of a run that a program made: its function makes the params, and its schema, of whatever kind, checks the answers. */
import type { Prompt, Row } from './contract.ts';
import { openPrompt } from './prompts/prompt.ts';
import type { RowFunction } from './prompts/row-function.ts';
import type { RunSpec } from './run/spec.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** https://standardschema.dev: what Zod, Valibot, ArkType and others have in common. */
export type StandardSchema<Output> = {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
};

type Validated<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

export type OutputSchema<Output> = StandardSchema<Output> | JsonSchema;

type Context<Output> = {
  readonly columns: readonly string[] | null;
  readonly rowFunction: RowFunction;
  readonly schema: OutputSchema<Output> | undefined;
  readonly keyOf: ((row: Row) => string) | null;
};

export async function promptOf<Output>(
  spec: Pick<RunSpec, 'prompt'>,
  { columns, rowFunction, schema, keyOf }: Context<Output>,
): Promise<Prompt> {
  // A Standard Schema cannot be asked for: params may do that themselves.
  const asked = isStandard(schema) ? { ...spec.prompt, schema: null } : spec.prompt;
  const prompt = await openPrompt(asked, { columns, folder: process.cwd(), toParams: rowFunction });
  const check = isStandard(schema) ? (text: string) => checked(schema, text) : null;
  return {
    model: prompt.model,
    maxTokens: prompt.maxTokens,
    get warnings() {
      return prompt.warnings;
    },
    render: (row, change) => prompt.render(row, change),
    keyOf: (row) => (keyOf === null || row.row === null ? prompt.keyOf(row) : keyOf(row.row)),
    complaintOf: (text) => (check === null ? prompt.complaintOf(text) : check(text).complaint),
    outputOf: (text) => (check === null ? prompt.outputOf(text) : check(text).output),
  };
}

export function isStandard<Output>(schema: OutputSchema<Output> | undefined): schema is StandardSchema<Output> {
  return schema !== undefined && '~standard' in schema;
}

const ISSUES_TOLD = 3;

function checked<Output>(
  schema: StandardSchema<Output>,
  text: string,
): { readonly output: Output | null; readonly complaint: string | null } {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return { output: null, complaint: 'the answer is not JSON' };
  }
  const validated = schema['~standard'].validate(data);
  if (validated instanceof Promise)
    throw new TypeError('the schema validates asynchronously, which answers are not: leave out what waits');
  if (validated.issues === undefined) return { output: validated.value, complaint: null };
  const told = validated.issues.slice(0, ISSUES_TOLD).map(({ message, path = [] }) => {
    const where = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return where === '' ? message : `${where}: ${message}`;
  });
  return { output: null, complaint: told.join('; ') };
}
