/** Errors on their way between threads: structured clone keeps no class, and callers tell errors apart by class. */
import { AppError, AssertionError, StartError, StorageFullError, type ErrorCode } from '../../domain/errors.ts';

export type WireError = {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code: string | null;
  readonly hint: string | null;
  readonly detail: string | null;
  readonly mayHold: boolean;
  readonly headers: Readonly<Record<string, string>>;
};

export function toWire(error: unknown): WireError {
  const known = error instanceof Error ? error : new Error(String(error));
  return {
    name: known.name,
    message: known.message,
    stack: known.stack ?? '',
    code: 'code' in known && typeof known.code === 'string' ? known.code : null,
    hint: 'hint' in known && typeof known.hint === 'string' ? known.hint : null,
    detail: known instanceof AppError ? known.detail : null,
    mayHold: known instanceof StorageFullError && known.mayHold,
    headers: known instanceof AppError ? known.headers : {},
  };
}

export function fromWire(wire: WireError): Error {
  const error = revive(wire);
  // What was thrown and where is in the other thread.
  error.message = wire.message;
  error.stack = wire.stack;
  return error;
}

function revive(wire: WireError): Error {
  switch (wire.name) {
    case 'AppError':
      return new AppError(wire.code as ErrorCode, wire.message, {
        headers: wire.headers,
        ...(wire.hint !== null && { hint: wire.hint }),
        ...(wire.detail !== null && { detail: wire.detail }),
      });
    case 'StartError':
      return new StartError(wire.message, { hint: wire.hint ?? '' });
    case 'StorageFullError':
      return new StorageFullError('the catalog', undefined, { mayHold: wire.mayHold });
    case 'AssertionError':
      return new AssertionError(wire.message);
    default:
      return Object.assign(new Error(wire.message), {
        name: wire.name,
        ...(wire.code !== null && { code: wire.code }),
      });
  }
}
