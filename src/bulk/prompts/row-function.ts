/** A module whose default function makes the request of a row, and modules or files that hold params. */
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { Row } from '../contract.ts';
import { PromptError } from './fault.ts';
import type { Params } from './params.ts';
import { messageOf } from './template.ts';

/** What a row becomes: params (those it lacks are filled in), the text of the message, or null to leave the row out. */
export type RowFunction = (
  row: Row,
  at: { readonly seq: number },
) => Params | string | null | Promise<Params | string | null>;

export function isModule(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path);
}

export async function loadRowFunction(path: string): Promise<RowFunction> {
  const made = await defaultOf(path);
  if (typeof made !== 'function')
    throw new PromptError(`${path}: its default export must be a function (row) => params, text or null`);
  return made as RowFunction;
}

/** The params in a JSON file, or the default export of a module. */
export async function loadParams(path: string): Promise<Params> {
  const params = isModule(path) ? await defaultOf(path) : await jsonOf(path);
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    throw new PromptError(`${path} holds no JSON object`);
  // What the run keeps is JSON; so is what it uses, from the first row on.
  return JSON.parse(JSON.stringify(params)) as Params;
}

export async function jsonOf(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new PromptError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  });
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new PromptError(`${path} is no JSON: ${messageOf(error)}`, { cause: error });
  }
}

async function defaultOf(path: string): Promise<unknown> {
  try {
    return ((await import(pathToFileURL(path).href)) as { default?: unknown }).default;
  } catch (error) {
    throw new PromptError(`cannot load ${path}: ${messageOf(error)}`, { cause: error });
  }
}
