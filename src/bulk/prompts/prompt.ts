/**
 * Makes requests out of rows: the same row always becomes the same bytes. What all rows share is made into JSON once, with places left for
 * the message and, where it has columns, the system prompt; a row only fills them.
 */
import type { Change, Prompt, Rendered, Row, SourceRow } from '../contract.ts';
import type { PromptSpec } from '../run/spec.ts';
import { attachmentsOf } from './attachments.ts';
import { planCache, type CachePlan } from './cache-marks.ts';
import { missingColumn, PromptError, RowFault } from './fault.ts';
import { defined, Frames } from './frames.ts';
import { Nulls } from './nulls.ts';
import { paramsComplaint, reaskMessages, type Params } from './params.ts';
import { passedParams } from './pass-through.ts';
import { loadRowFunction, type RowFunction } from './row-function.ts';
import { answerSchema, type AnswerSchema } from './schema.ts';
import {
  liquidTemplate,
  messageOf,
  plainBigint,
  strictTemplate,
  type Template,
  type TemplateOptions,
} from './template.ts';
import { checkCuts, cutRow, joinCuts } from './truncate.ts';

export type PromptContext = {
  /** Null where every row has its own. */
  readonly columns: readonly string[] | null;
  readonly idColumn?: string | null;
  /** Where the paths in columns begin. */
  readonly folder: string;
  /** In place of the module's: what a program gave. */
  readonly toParams?: RowFunction;
};

export async function openPrompt(spec: PromptSpec, context: PromptContext): Promise<Prompt> {
  const { columns, idColumn = null } = context;
  checkColumns(spec, context);
  const nulls = new Nulls();
  const schema = spec.schema === null || spec.schema === undefined ? null : answerSchema(spec.schema, spec.schemaMode);
  const message = templateOf(spec, { columns, onNull: nulls.onNull });
  const system =
    spec.system === null || spec.system.trim() === ''
      ? null
      : templateFor(spec.kind, { text: spec.system, columns, onNull: nulls.onNull });
  const toParams = spec.kind === 'function' ? (context.toParams ?? (await loadRowFunction(spec.file ?? ''))) : null;
  const cache = cachePlanOf(spec, { schema, system, message });
  const frames = new Frames({ spec, schema, system, cache });
  const plain = frames.of({});
  const make = { spec, context, nulls, message, system, toParams, cache, frames };
  const fixed = [...unused(spec, { columns, idColumn, message, system }), ...cache.warnings];
  return {
    model: modelOf(spec),
    maxTokens: spec.kind === 'passthrough' ? spec.maxTokens : plain.maxTokens,
    get warnings() {
      return [...fixed, ...nulls.warnings()];
    },
    render: (row, change) => render(make, { row, change: change ?? {} }),
    keyOf: (row) => keyOf(row, idColumn),
    complaintOf: (text) => schema?.complaintOf(text) ?? null,
    outputOf: (text) => schema?.outputOf(text) ?? null,
  };
}

/** The value of the id column; without one that of `id`, or of `custom_id`; else the number of the row, from 1. */
export function keyOf({ seq, row }: SourceRow, idColumn: string | null): string {
  const value = row === null ? null : idColumn !== null ? row[idColumn] : (row.id ?? row.custom_id);
  if (typeof value === 'string' && value !== '') return value;
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
    ? String(value)
    : String(seq + 1);
}

type Make = {
  readonly spec: PromptSpec;
  readonly context: PromptContext;
  readonly nulls: Nulls;
  readonly message: Template | null;
  readonly system: Template | null;
  readonly toParams: RowFunction | null;
  readonly cache: CachePlan;
  readonly frames: Frames;
};

type Asked = { readonly row: SourceRow & { readonly fault: null }; readonly change: Change };

function render(make: Make, { row, change }: Asked): Rendered | Promise<Rendered> {
  try {
    const cuts = change.truncate === undefined ? make.spec.truncate : joinCuts(make.spec.truncate, change.truncate);
    const { row: values, cut } = cuts.length === 0 ? { row: row.row, cut: false } : cutRow(row.row, cuts);
    make.nulls.begin(row.seq);
    const made = requestOf(make, { values, seq: row.seq, change });
    if (made instanceof Promise) return made.then((json) => rendered(json, cut), rejected);
    return rendered(made, cut);
  } catch (error) {
    return rejected(error);
  }
}

function rendered(json: string | null, cut: boolean): Rendered {
  return json === null ? { kind: 'skipped' } : { kind: 'request', params: Buffer.from(json), cut };
}

function rejected(error: unknown): Rendered {
  if (error instanceof RowFault) return { kind: 'rejected', reason: error.message };
  throw error;
}

type Values = { readonly values: Row; readonly seq: number; readonly change: Change };

function requestOf(make: Make, asked: Values): string | null | Promise<string | null> {
  const { spec, toParams, message } = make;
  const { values, change } = asked;
  if (spec.kind === 'passthrough') return wholeParams(make, { params: passedParams(values), filled: false, change });
  if (toParams !== null) return requestOfFunction(make, { ...asked, toParams });
  const text = message!;
  if (spec.images.length + spec.documents.length > 0) {
    return attached(make, values).then((blocks) =>
      fill(make, { ...asked, content: contentOf(text, { make, values, blocks }) }),
    );
  }
  return fill(make, { ...asked, content: contentOf(text, { make, values, blocks: [] }) });
}

async function requestOfFunction(
  make: Make,
  { values, seq, change, toParams }: Values & { readonly toParams: RowFunction },
): Promise<string | null> {
  let made: Awaited<ReturnType<RowFunction>>;
  try {
    made = await toParams(values, { seq });
  } catch (error) {
    throw new RowFault(`the function of the prompt threw: ${messageOf(error)}`);
  }
  if (made === null || made === undefined) return null;
  if (typeof made === 'string') {
    if (modelOf(make.spec) === null && change.model === undefined)
      throw new RowFault('model: a name is required (-m, --model)');
    const text = made.trim() === '' ? '' : JSON.stringify(made.toWellFormed());
    const blocks = await attached(make, values);
    if (text === '' && blocks.length === 0) throw new RowFault('the prompt is empty');
    const content = blocks.length === 0 ? text : blockList([...blocks, ...(text === '' ? [] : [textBlock(text)])]);
    return fill(make, { values, change, content });
  }
  if (typeof made !== 'object' || Array.isArray(made))
    throw new RowFault('the function of the prompt gave neither params, a text nor null');
  return wholeParams(make, { params: made, filled: true, change, values });
}

/** Params made elsewhere. A function's get all the flags say that they lack; those of a row only model and max_tokens. */
function wholeParams(
  make: Make,
  { params, filled, change, values }: { params: Params; filled: boolean; change: Change; values?: Row },
): string {
  const { spec, frames } = make;
  const base = filled ? frames.base(values ?? {}) : defined({ model: spec.model, max_tokens: spec.maxTokens });
  const all: Record<string, unknown> = { ...base, ...params };
  if (change.model !== undefined) all.model = change.model;
  if (change.maxTokens !== undefined) all.max_tokens = change.maxTokens;
  if (change.reask !== undefined && Array.isArray(all.messages))
    all.messages = [...(all.messages as unknown[]), ...reaskMessages(change.reask)];
  const complaint = paramsComplaint(all);
  if (complaint !== null) throw new RowFault(complaint);
  return JSON.stringify(all, plainBigint);
}

function attached({ spec, context }: Make, values: Row): Promise<string[]> {
  const { images, documents } = spec;
  return images.length + documents.length === 0
    ? Promise.resolve([])
    : attachmentsOf(values, { images, documents, folder: context.folder });
}

/** The content of the message as JSON: a text where that will do, else blocks: what is shared and marked, files, the text. */
function contentOf(
  message: Template,
  { make, values, blocks }: { make: Make; values: Row; blocks: readonly string[] },
): string {
  const { cache } = make;
  const split = cache.mark !== null && cache.at === 'message prefix';
  const text = (split ? make.frames.rest(message) : message).json(values);
  const isBlank = text.length < BLANK_LENGTH_MAX && (JSON.parse(`"${text}"`) as string).trim() === '';
  if (!split && blocks.length === 0) {
    if (isBlank) throw new RowFault('the prompt is empty');
    return `"${text}"`;
  }
  const shared = split
    ? [`{"type":"text","text":${JSON.stringify(message.prefix)},"cache_control":${JSON.stringify(cache.mark)}}`]
    : [];
  return blockList([...shared, ...blocks, ...(isBlank ? [] : [textBlock(`"${text}"`)])]);
}

/** A longer text of nothing but white space is left to the API to refuse. */
const BLANK_LENGTH_MAX = 32;

function textBlock(json: string): string {
  return `{"type":"text","text":${json}}`;
}

function blockList(blocks: readonly string[]): string {
  return `[${blocks.join(',')}]`;
}

function fill(make: Make, { values, change, content }: { values: Row; change: Change; content: string }): string {
  const { before, between, after } = make.frames.of(change);
  if (between === null) return before + content + after;
  return before + make.frames.systemText(values) + between + content + after;
}

function templateOf(spec: PromptSpec, options: Omit<TemplateOptions, 'text'>): Template | null {
  if (spec.kind === 'function' || spec.kind === 'passthrough') return null;
  if (spec.template === null || spec.template.trim() === '') throw new PromptError('the template is empty');
  return templateFor(spec.kind, { ...options, text: spec.template });
}

function templateFor(kind: PromptSpec['kind'], options: TemplateOptions): Template {
  return kind === 'liquid' ? liquidTemplate(options) : strictTemplate(options);
}

function modelOf({ model, params }: PromptSpec): string | null {
  return model ?? (typeof params.model === 'string' ? params.model : null);
}

function cachePlanOf(
  spec: PromptSpec,
  { schema, system, message }: { schema: AnswerSchema | null; system: Template | null; message: Template | null },
): CachePlan {
  const given = JSON.stringify([spec.params, schema?.params ?? null]);
  return planCache({
    cache: spec.kind === 'passthrough' ? 'off' : spec.cache,
    model: modelOf(spec),
    toolBytes: [spec.params.tools, spec.params.system, schema?.params.tools].reduce(
      (sum: number, part) => sum + (part === undefined ? 0 : Buffer.byteLength(JSON.stringify(part))),
      0,
    ),
    system: system ?? null,
    message:
      message === null
        ? null
        : { prefix: message.prefix, fixed: message.fixed, firstColumn: message.columns[0] ?? null },
    marked: given.includes('"cache_control"'),
  });
}

function checkColumns(spec: PromptSpec, { columns, idColumn = null }: PromptContext): void {
  const { images, documents, truncate } = spec;
  const hasExtras = spec.system !== null || images.length + documents.length > 0 || Object.keys(spec.params).length > 0;
  if (spec.kind === 'passthrough' && hasExtras)
    throw new PromptError(
      'rows that are requests already are sent as they are: they take no system prompt, params, images or documents',
    );
  checkCuts(truncate, columns);
  if (columns === null) return;
  for (const [flag, names] of [
    ['--image', images],
    ['--document', documents],
    ['--id', idColumn === null ? [] : [idColumn]],
  ] as const) {
    const missing = names.find((name) => !columns.includes(name));
    if (missing !== undefined) throw new PromptError(`${flag}: ${missingColumn(missing, columns)}`);
  }
}

/** Columns nothing uses: what an input carries along, or a name that was meant and not written. */
function unused(
  spec: PromptSpec,
  {
    columns,
    idColumn,
    message,
    system,
  }: { columns: readonly string[] | null; idColumn: string | null; message: Template | null; system: Template | null },
): string[] {
  if (columns === null || message === null) return [];
  const used = new Set([
    ...message.columns,
    ...(system?.columns ?? []),
    ...spec.images,
    ...spec.documents,
    idColumn ?? 'id',
  ]);
  const spare = columns.filter((column) => !used.has(column));
  if (spare.length === 0) return [];
  return [`nothing in the prompt uses ${spare.length === 1 ? 'the column' : 'the columns'} ${spare.join(', ')}`];
}
