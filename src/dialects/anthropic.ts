/** The Message Batches dialect: its envelope and custom_id rules here, params, result lines and batches in the files beside. */
import { asBuffer, OPEN_OBJECT, QUOTE } from '../bytes/ascii.ts';
import { text, whitespace } from '../bytes/json.ts';
import type { BodyFault } from '../bytes/slice.ts';
import { AppError } from '../domain/errors.ts';
import { CUSTOM_ID_LENGTH_MAX, REQUEST_BYTES_MAX, REQUESTS_PER_BATCH_MAX } from '../domain/limits.ts';
import { renderMessageBatch } from './batch-view.ts';
import type { Dialect, EnvelopeFault, JudgeContext, ReadRequest } from './dialect.ts';
import { judgeParams, type Judgement } from './judge.ts';
import { extraInput, fieldRequired, notADictionary, notAList, notAString, quoted } from './judge-values.ts';
import { failedLine, succeededLine } from './lines.ts';
import { keysOf, locate, type Enter, type Range } from './members.ts';
import { BYTES_PER_TOKEN, readCall } from './read-call.ts';

export function createAnthropicDialect({ strict }: { readonly strict: boolean } = { strict: false }): Dialect {
  return {
    name: 'anthropic',
    refuse,
    readRequest: (element, ordinal, { version, betas }) => readRequest(element, ordinal, { version, betas, strict }),
    readCall: (body, { version, betas, use }) => readCall(body, { version, betas, use, strict }),
    succeededLine,
    failedLine,
    renderBatch: renderMessageBatch,
  };
}

function readRequest(element: Uint8Array, ordinal: number, context: JudgeContext): ReadRequest {
  const bytes = asBuffer(element);
  const { customId, params, judgement } = readEnvelope(bytes, ordinal, context);
  const { fault, model, maxTokens, breakpoints } = judgement;
  const length = params.end - params.start;
  const tokenEstimate = Math.ceil(length / BYTES_PER_TOKEN) + maxTokens;
  return {
    entry: { ordinal, offset: 0, length, customId, maxTokens, tokenEstimate, breakpoints, fault },
    model,
    params: bytes.subarray(params.start, params.end),
  };
}

type Envelope = { readonly customId: string; readonly params: Range; readonly judgement: Judgement };

const envelopeKeys = keysOf('custom_id', 'params');
const paramsPlace = 1;

function readEnvelope(bytes: Buffer, ordinal: number, context: JudgeContext): Envelope {
  const at = whitespace(bytes, 0);
  if (bytes[at] !== OPEN_OBJECT) throw invalid(`requests.${ordinal}${notADictionary}`);
  let judgement: Judgement | null = null as Judgement | null;
  const enter: Enter = (place, start) => {
    if (place !== paramsPlace || bytes[start] !== OPEN_OBJECT) return -1;
    judgement = judgeParams(bytes, start, context);
    return judgement.end;
  };
  const { found, unknown } = locate(bytes, envelopeKeys, { at, enter });
  const [id, params] = found;

  const customId = bytes[id.start] === QUOTE ? text(bytes, id.start, id.end) : null;
  if (customId === null || !customIdPattern.test(customId)) {
    const complaint = id.start === -1 ? fieldRequired : customIdComplaint(customId);
    throw invalid(`requests.${ordinal}.custom_id${complaint}`);
  }
  if (params.start === -1) throw invalid(`requests.${ordinal}.params${fieldRequired}`);
  if (bytes[params.start] !== OPEN_OBJECT || judgement === null) {
    throw invalid(`requests.${ordinal}.params${notADictionary}`);
  }
  if (unknown.start !== -1) {
    const key = text(bytes, unknown.start, unknown.end);
    throw invalid(`requests.${ordinal}.${quoted(key)}${extraInput}`);
  }
  return { customId, params, judgement };
}

const customIdPattern = new RegExp(`^[a-zA-Z0-9_-]{1,${CUSTOM_ID_LENGTH_MAX}}$`);

function customIdComplaint(customId: string | null): string {
  if (customId === null) return notAString;
  if (customId === '') return ': String should have at least 1 character';
  // Characters are counted as code points; an id this long is not worth counting exactly beyond that.
  const isLong = customId.length > 2 * CUSTOM_ID_LENGTH_MAX || Array.from(customId).length > CUSTOM_ID_LENGTH_MAX;
  if (isLong) return `: String should have at most ${CUSTOM_ID_LENGTH_MAX} characters`;
  return `: String should match pattern '${customIdPattern.source}'`;
}

function refuse(fault: EnvelopeFault): AppError {
  switch (fault.kind) {
    case 'body':
      return refuseBody(fault.error.fault);
    case 'empty':
      return invalid('requests: List should have at least 1 item after validation, not 0');
    case 'too_many':
      return invalid(
        `requests: List should have at most ${REQUESTS_PER_BATCH_MAX} items after validation, not ${fault.count}`,
      );
    case 'duplicate':
      return invalid(
        `requests: custom_id's must be unique within a batch. Duplicate custom_id found: ${fault.customId}`,
      );
  }
}

function refuseBody(fault: BodyFault): AppError {
  switch (fault.kind) {
    case 'not_json':
      return invalid(`The request body is not valid JSON: ${fault.message}`);
    case 'not_an_object':
      return invalid('Input should be a valid dictionary');
    case 'requests_missing':
      return invalid(`requests${fieldRequired}`);
    case 'requests_not_a_list':
      return invalid(`requests${notAList}`);
    case 'unknown_key':
      return invalid(`${fault.key}${extraInput}`);
    case 'duplicate_key':
      return invalid(`${fault.key}: Field may be given only once`);
    case 'request_too_large':
      return new AppError(
        'too_large',
        `requests.${fault.ordinal}: Request exceeds the maximum size of ${REQUEST_BYTES_MAX / 1024 / 1024} MB`,
      );
  }
}

function invalid(message: string): AppError {
  return new AppError('invalid_request', message);
}
