/**
 * The columns of an output, in order: the row's key, the input's columns (joined), what was answered, what became of it.
 *
 * - The key is the input's own id column where it is joined; else a column `id` in front, holding the key.
 * - Without a schema the answer's text is `answer`. With one: `output`, an object, in JSON lines; in tables a column `output.NAME`
 *   for each of its top properties (what is nested deeper stays JSON), or one column `output` where its top is no object.
 * - Where the input has a column of the same name, ours is called `result_NAME` (again, until it is free): the input's never changes.
 */
import type { OutputRow } from '../contract.ts';

export type Shape = {
  /** The input's columns that are joined; null: every row has its own. */
  readonly columns: readonly string[] | null;
  readonly join: boolean;
  /** The input's column that holds the key; null: keys are row numbers. */
  readonly keyColumn: string | null;
  /** The top properties of the answers' schema; empty where its top is no object; null without a schema. */
  readonly outputs: readonly string[] | null;
};

export type ColumnType = 'text' | 'integer' | 'number' | 'boolean' | 'json';
/** `type` null: by its values. */
export type LayoutColumn = { readonly name: string; readonly type: ColumnType | null };
export type Layout = {
  readonly columns: readonly LayoutColumn[];
  /** The column that holds the key. */
  readonly key: string;
  cells(row: OutputRow): unknown[];
};

type Field = { readonly name: string; readonly type: ColumnType | null; readonly of: (row: OutputRow) => unknown };

const fates: readonly Field[] = [
  { name: 'state', type: 'text', of: (row) => row.state },
  { name: 'error_type', type: 'text', of: (row) => row.error?.type ?? null },
  { name: 'error_message', type: 'text', of: (row) => row.error?.message ?? null },
  { name: 'stop_reason', type: 'text', of: (row) => row.stopReason },
  { name: 'model', type: 'text', of: (row) => row.model },
  { name: 'input_tokens', type: 'integer', of: (row) => row.usage?.inputTokens ?? null },
  { name: 'output_tokens', type: 'integer', of: (row) => row.usage?.outputTokens ?? null },
  { name: 'attempts', type: 'integer', of: (row) => row.attempts },
  { name: 'batch_id', type: 'text', of: (row) => row.batchId },
];

export function tableLayout(shape: Shape, idName = 'id'): Layout {
  const inputs = shape.join ? (shape.columns ?? []) : [];
  const ownKey = shape.keyColumn !== null && inputs.includes(shape.keyColumn) ? shape.keyColumn : null;
  const id: readonly Field[] = ownKey === null ? [{ name: idName, type: 'text', of: (row) => row.key }] : [];
  const fields = [...answerFields(shape.outputs), ...fates];
  const names = freeNames([...id, ...fields], inputs);
  const inputColumns = inputs.map((name): LayoutColumn => ({ name, type: null }));
  const ours = [...id, ...fields].map(({ type }, index): LayoutColumn => ({ name: names[index]!, type }));
  return {
    columns: [...ours.slice(0, id.length), ...inputColumns, ...ours.slice(id.length)],
    key: ownKey ?? names[0]!,
    cells(row) {
      const cells: unknown[] = [];
      for (const field of id) cells.push(field.of(row));
      for (const name of inputs) cells.push(row.row?.[name] ?? (name === ownKey ? row.key : null));
      for (const field of fields) cells.push(field.of(row));
      return cells;
    },
  };
}

/** An output row as one object. Where the input's columns are not known beforehand, a clash is settled row by row. */
export function objectLayout(shape: Shape): (row: OutputRow) => Record<string, unknown> {
  const answer: Field =
    shape.outputs === null
      ? { name: 'answer', type: 'text', of: (row) => row.text }
      : { name: 'output', type: 'json', of: (row) => row.output ?? null };
  const fields = [answer, ...fates];
  const id: Field = { name: 'id', type: 'text', of: (row) => row.key };
  const known = shape.join && shape.columns !== null ? namesAround(shape, [id, ...fields], shape.columns) : null;
  return (row) => {
    const joined = shape.join ? (row.row ?? {}) : {};
    const inputs = shape.columns ?? Object.keys(joined);
    const names =
      known ?? (shape.join ? namesAround(shape, [id, ...fields], inputs) : ['id', ...fields.map(({ name }) => name)]);
    const object: Record<string, unknown> = {};
    if (names[0] !== null) object[names[0]!] = row.key;
    if (shape.join)
      for (const name of inputs) object[name] = joined[name] ?? (name === shape.keyColumn ? row.key : null);
    for (const [index, field] of fields.entries()) object[names[index + 1]!] = field.of(row);
    return object;
  };
}

function answerFields(outputs: readonly string[] | null): readonly Field[] {
  if (outputs === null) return [{ name: 'answer', type: 'text', of: (row) => row.text }];
  if (outputs.length === 0) return [{ name: 'output', type: 'json', of: (row) => row.output ?? null }];
  return outputs.map((name) => ({
    name: `output.${name}`,
    type: null,
    of: ({ output }) =>
      typeof output === 'object' && output !== null ? ((output as Record<string, unknown>)[name] ?? null) : null,
  }));
}

/** Names for ours, the id first; null for an id that the input already holds. */
function namesAround(shape: Shape, fields: readonly Field[], inputs: readonly string[]): readonly (string | null)[] {
  const names = freeNames(fields, inputs);
  return shape.keyColumn !== null && inputs.includes(shape.keyColumn) ? [null, ...names.slice(1)] : names;
}

function freeNames(fields: readonly Field[], inputs: readonly string[]): readonly string[] {
  const taken = new Set(inputs);
  return fields.map((field) => {
    let name = field.name;
    while (taken.has(name)) name = `result_${name}`;
    taken.add(name);
    return name;
  });
}
