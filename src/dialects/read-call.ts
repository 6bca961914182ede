/** The body of a synchronous call: params alone, judged as those of a batch are, but for what only a batch forbids. */
import { asBuffer, OPEN_OBJECT } from '../bytes/ascii.ts';
import { JsonError, validateText, whitespace } from '../bytes/json.ts';
import { AppError } from '../domain/errors.ts';
import type { JudgeContext, ReadCall } from './dialect.ts';
import { judgeParams } from './judge.ts';

/** A token of English prose has about four bytes. */
export const BYTES_PER_TOKEN = 4;

export function readCall(body: Uint8Array, context: JudgeContext): ReadCall {
  const bytes = asBuffer(body);
  try {
    validateText(bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw invalid(`The request body is not valid JSON: ${error.message} (byte ${error.offset})`);
  }
  const start = whitespace(bytes, 0);
  if (bytes[start] !== OPEN_OBJECT) throw invalid('Input should be a valid dictionary');
  const { fault, model, maxTokens } = judgeParams(bytes, start, context);
  if (fault !== null) throw invalid(fault.message);
  return { model, maxTokens, tokenEstimate: Math.ceil(bytes.length / BYTES_PER_TOKEN) + maxTokens };
}

function invalid(message: string): AppError {
  return new AppError('invalid_request', message);
}
