/** Which failures of a call end the run, and which are only trouble that passes. */
import { ApiError } from '../contract.ts';
import { DiskFullError, isDiskFull, RunError } from './errors.ts';

/** Null for what may pass by itself, or is no failure of a call. */
export function asRunError(error: unknown): RunError | null {
  if (error instanceof RunError) return error;
  if (isDiskFull(error)) return new DiskFullError('the run', error);
  if (!(error instanceof ApiError)) return null;
  const { status, message } = error.failure;
  return status === 401 || status === 403 ? new RunError('authentication', message, error) : null;
}
