/** Why a run cannot go on, in a word that the command turns into its exit code. */

export type RunFault =
  /** A row or the spec is no longer what the run began with. */
  | 'changed'
  /** Another process owns the run. */
  | 'owned'
  | 'authentication'
  /** The API wants money. */
  | 'credit'
  | 'disk-full'
  /** A file of the run cannot be read. */
  | 'damaged'
  /** The API refuses what no new try can change. */
  | 'refused'
  | 'usage';

export class RunError extends Error {
  readonly fault: RunFault;

  constructor(fault: RunFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RunError';
    this.fault = fault;
  }
}

export class DiskFullError extends RunError {
  constructor(where: string, cause?: unknown) {
    super(
      'disk-full',
      `no room left on the disk for ${where}; what was recorded is whole: free some space and run again`,
      cause,
    );
  }
}

export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
