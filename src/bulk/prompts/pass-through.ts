/** Rows that are requests already: `{custom_id, params}`, or OpenAI's `{custom_id, method, url, body}` where the body is a Messages one. */
import type { Row } from '../contract.ts';
import { RowFault } from './fault.ts';
import type { Params } from './params.ts';

/** The params of a row as they are. */
export function passedParams(row: Row): Params {
  const { params, body } = row;
  if (params !== undefined) return asObject(params, 'params');
  if (body === undefined)
    throw new RowFault(
      'there is no template, and the row holds neither "custom_id" and "params" nor "custom_id" and "body"',
    );
  const url = typeof row.url === 'string' ? row.url : '';
  if (/\/v1\/messages\/?$/.test(url)) return asObject(body, 'body');
  throw new RowFault(
    `a body for ${url === '' ? 'no url' : url} is not sent by the Message Batches API, which takes /v1/messages only: give its columns to a template instead`,
  );
}

/** From CSV, params are a text that holds JSON. */
function asObject(value: unknown, name: string): Params {
  let read = value;
  if (typeof value === 'string') {
    try {
      read = JSON.parse(value);
    } catch {
      throw new RowFault(`"${name}" is no JSON`);
    }
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read))
    throw new RowFault(`"${name}" is no JSON object`);
  return read as Params;
}
