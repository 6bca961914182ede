/**
 * A text with columns in it. `{{column}}` and `{{a.b}}` are strict: what a row does not have rejects the row, or the whole prompt where
 * the columns are known. A value that is null or undefined is an empty text, counted; an object is its JSON; `{{"…"}}` is what it quotes.
 */
import { Liquid, type Template as LiquidPart } from 'liquidjs';
import type { Row } from '../contract.ts';
import { missingColumn, PromptError, RowFault } from './fault.ts';

export interface Template {
  /** The columns it uses, as far as that can be told. */
  readonly columns: readonly string[];
  /** What every row begins with; the whole text when it is `fixed`. */
  readonly prefix: string;
  readonly fixed: boolean;
  /** The text of a row as it stands inside the quotes of a JSON string. */
  json(row: Row): string;
  /** The same without its prefix, for a prefix that is sent as a block of its own. */
  afterPrefix(): Template;
}

export type TemplateOptions = {
  readonly text: string;
  /** Null where every row has its own. */
  readonly columns: readonly string[] | null;
  /** Told of each value that was null. */
  readonly onNull: (column: string) => void;
};

type Hole = { readonly name: string; readonly path: readonly string[] };

export function strictTemplate({ text, columns, onNull }: TemplateOptions): Template {
  const { literals, holes } = parseStrict(text);
  for (const { name, path } of holes) {
    if (columns !== null && !columns.includes(name) && !columns.includes(path[0])) {
      throw new PromptError(`line ${lineOf(text, `{{`, name)} of the template: ${missingColumn(name, columns)}`);
    }
  }
  return strictOf({ literals, holes, onNull });
}

function strictOf({
  literals,
  holes,
  onNull,
}: {
  literals: readonly string[];
  holes: readonly Hole[];
  onNull: (column: string) => void;
}): Template {
  const escaped = literals.map(insideJson);
  return {
    columns: [...new Set(holes.map(({ path }) => path[0]))],
    prefix: literals[0],
    fixed: holes.length === 0,
    json(row) {
      let made = escaped[0];
      for (let index = 0; index < holes.length; index += 1) {
        const hole = holes[index];
        const value = valueOf(row, hole);
        if (value === null || value === undefined) onNull(hole.name);
        else made += insideJson(textOf(value, hole.name));
        made += escaped[index + 1];
      }
      return made;
    },
    afterPrefix: () => strictOf({ literals: ['', ...literals.slice(1)], holes, onNull }),
  };
}

function parseStrict(text: string): { literals: string[]; holes: Hole[] } {
  const literals: string[] = [''];
  const holes: Hole[] = [];
  for (let at = 0; ;) {
    const open = text.indexOf('{{', at);
    literals[literals.length - 1] += text.slice(at, open < 0 ? text.length : open);
    if (open < 0) return { literals, holes };
    const quoted = /^\{\{\s*(?:"([^"]*)"|'([^']*)')\s*\}\}/.exec(text.slice(open, open + 1_000));
    const close = quoted === null ? text.indexOf('}}', open) : open + quoted[0].length - 2;
    if (close < 0) throw new PromptError(`line ${lineAt(text, open)} of the template: "{{" is never closed`);
    at = close + 2;
    if (quoted !== null) {
      literals[literals.length - 1] += quoted[1] ?? quoted[2];
      continue;
    }
    const name = text.slice(open + 2, close).trim();
    if (name === '') throw new PromptError(`line ${lineAt(text, open)} of the template: "{{}}" names no column`);
    holes.push({ name, path: name.split('.').map((part) => part.trim()) });
    literals.push('');
  }
}

/** A column named so, dots and all, comes before a path into one. */
function valueOf(row: Row, { name, path }: Hole): unknown {
  if (Object.hasOwn(row, name)) return row[name];
  let value: unknown = row;
  for (const [depth, part] of path.entries()) {
    if (depth > 0 && (value === null || value === undefined)) return null;
    if (typeof value !== 'object' || value === null) {
      throw new RowFault(`"${name}": column "${path[0]}" holds no object with a "${part}" in it`);
    }
    if (!Object.hasOwn(value, part)) {
      const missing = missingColumn(part, Object.keys(value));
      throw new RowFault(depth === 0 ? missing : `"${name}": ${missing}`);
    }
    value = (value as Row)[part];
  }
  return value;
}

/** Any value that is not null, as the text a template shows. */
export function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) throw new RowFault(`column "${name}" holds bytes, not text`);
  return typeof value === 'object' ? JSON.stringify(value, plainBigint) : plainText(value);
}

function plainText(value: unknown): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'bigint'
      ? value.toString()
      : (JSON.stringify(value) ?? '');
}

export function plainBigint(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}

/** A text as it stands inside the quotes of a JSON string. A half of a surrogate pair, which no API takes, becomes U+FFFD. */
export function insideJson(text: string): string {
  return JSON.stringify(text.isWellFormed() ? text : text.toWellFormed()).slice(1, -1);
}

/** A Liquid template; a variable that is not there rejects the row, except where it is asked for by `if` or given a `default`. */
export function liquidTemplate(options: TemplateOptions): Template {
  const { text, columns } = options;
  const liquid = new Liquid({
    strictVariables: true,
    strictFilters: true,
    lenientIf: true,
    ownPropertyOnly: true,
    outputEscape: shown,
  });
  const parts = parseLiquid(liquid, text);
  const used = liquid.globalVariablesSync(parts);
  const missing =
    columns === null ? undefined : used.find((name) => !columns.includes(name) && !isOptional(text, name));
  if (columns !== null && missing !== undefined)
    throw new PromptError(`the template: ${missingColumn(missing, columns)}`);
  const literal = /^[^]*?(?=\{\{|\{%|$)/.exec(text)![0].length;
  const start = /\{[{%]-/.test(text.slice(literal, literal + 3))
    ? text.slice(0, literal).trimEnd()
    : text.slice(0, literal);
  return {
    columns: used,
    prefix: start,
    fixed: literal === text.length,
    json: (row) => insideJson(renderLiquid(liquid, { parts, row })),
    afterPrefix: () => liquidTemplate({ ...options, text: text.slice(literal) }),
  };
}

function parseLiquid(liquid: Liquid, text: string): LiquidPart[] {
  try {
    return liquid.parse(text);
  } catch (error) {
    throw new PromptError(`the template: ${messageOf(error)}`, { cause: error });
  }
}

function renderLiquid(liquid: Liquid, { parts, row }: { parts: LiquidPart[]; row: Row }): string {
  try {
    return String(liquid.renderSync(parts, row));
  } catch (error) {
    throw new RowFault(messageOf(error));
  }
}

/** A name that only an `if`, `unless` or `default` asks for may be missing. */
function isOptional(text: string, name: string): boolean {
  const safe = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`\\{%-?\\s*(?:if|unless|elsif)\\b[^%]*\\b${safe}\\b|\\b${safe}\\s*\\|\\s*default\\b`).test(text);
}

/** What an output shows: objects as JSON, everything else as Liquid does. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value, plainBigint) : plainText(value);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function lineOf(text: string, open: string, name: string): number {
  const found = text.indexOf(name, text.indexOf(open));
  return lineAt(text, Math.max(0, found));
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
