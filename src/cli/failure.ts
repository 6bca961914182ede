/** How the command ends: its exit codes, and errors in words. */
import { AppError, StartError, StorageFullError } from '../domain/errors.ts';
import { ConfigError } from '../config/read.ts';

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

export function exitCodeOf(error: unknown): number {
  return error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILURE;
}

/** Expected errors in two lines, what is wrong and what to do; any other with its stack, because it is a fault of ours. */
export function explain(error: unknown): string {
  const isExpected = error instanceof StartError || error instanceof ConfigError;
  if (isExpected || (error instanceof AppError && error.hint !== null))
    return `error: ${error.message}\nhint: ${error.hint}\n`;
  if (error instanceof StorageFullError)
    return `error: ${error.message}\nhint: Free some space on the disk of the data folder, or name another folder with --data.\n`;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `error: this is a fault of Nightshift, please report it\n${text}\n`;
}
