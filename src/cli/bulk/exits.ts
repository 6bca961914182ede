/** How a command of the bulk client ends: one number for each thing a script may want to tell apart. */
import { ConfigError } from '../../config/read.ts';
import { ApiError } from '../../bulk/contract.ts';
import { PromptError } from '../../bulk/prompts/fault.ts';
import { RunError, type RunFault } from '../../bulk/run/errors.ts';
import { OutputError } from '../../bulk/sinks/output-error.ts';
import { InputError } from '../../bulk/sources/input-error.ts';
import { StartError } from '../../domain/errors.ts';

export const exits = {
  done: 0,
  failure: 1,
  usage: 2,
  someRowsFailed: 3,
  authentication: 4,
  budget: 5,
  invalidRows: 6,
  changed: 7,
  owned: 8,
  unresolved: 9,
  running: 10,
  interrupted: 130,
  terminated: 143,
} as const;

export type Exit = (typeof exits)[keyof typeof exits];

/** In words, for the help and docs/bulk.md. */
export const exitProse: readonly (readonly [Exit, string])[] = [
  [0, 'every row succeeded, or the command did what it was asked'],
  [1, 'an unexpected failure'],
  [2, 'a wrong use, or a run that needs --yes or --max-cost'],
  [3, 'finished, and some rows failed'],
  [4, 'the key is missing, wrong or not permitted'],
  [5, 'stopped by --max-cost, by the account or by --stop-if-error-rate; rows are pending, resume goes on'],
  [6, 'the plan found rows that can never be sent'],
  [7, 'the template, a parameter, the schema or the input is not what the run began with'],
  [8, 'another process works on the run'],
  [9, 'with --strict: a submission whose end is not known yet'],
  [10, 'not finished yet (status --exit-status, or --wait ran out)'],
  [130, 'detached by Ctrl-C; 143 by SIGTERM: batches go on, nothing is lost'],
];

/** Something a person can mend: said in two lines, and ended with its code. */
export class CommandError extends Error {
  readonly exit: Exit;
  readonly hint: string;

  constructor(exit: Exit, message: string, hint: string) {
    super(message);
    this.name = 'CommandError';
    this.exit = exit;
    this.hint = hint;
  }
}

const exitOfFault: Readonly<Record<RunFault, Exit>> = {
  changed: exits.changed,
  owned: exits.owned,
  authentication: exits.authentication,
  credit: exits.budget,
  'disk-full': exits.failure,
  damaged: exits.failure,
  refused: exits.failure,
  usage: exits.usage,
};

const hintOfFault: Readonly<Record<RunFault, string>> = {
  changed:
    '--only-changed sends only the rows whose request differs, --new starts another run, --as-started goes on as it began.',
  owned: 'Look on with: nightshift watch',
  authentication:
    'Set ANTHROPIC_API_KEY to a key of the workspace the run began with, then run again: nothing is lost.',
  credit: 'Add credit, then run again: rows are pending, not failed.',
  'disk-full': 'Free some space, then run again: nothing that was paid for is lost.',
  damaged: 'Keep the folder. nightshift adopt rebuilds a run from its input and the ids of its batches.',
  refused: 'See: nightshift doctor',
  usage: 'See: nightshift run --help',
};

export function exitOf(error: unknown): Exit {
  if (error instanceof CommandError) return error.exit;
  if (error instanceof ConfigError) return exits.usage;
  if (error instanceof InputError || error instanceof PromptError) return exits.usage;
  if (error instanceof RunError) return exitOfFault[error.fault];
  if (error instanceof ApiError && (error.failure.status === 401 || error.failure.status === 403))
    return exits.authentication;
  return exits.failure;
}

/** What is wrong and what to do; null for a fault of ours, which needs its stack. */
export function explained(error: unknown): { readonly message: string; readonly hint: string } | null {
  if (error instanceof CommandError || error instanceof ConfigError) return error;
  if (error instanceof StartError) return { message: error.message, hint: error.hint };
  if (error instanceof InputError)
    return {
      message: error.message,
      hint: 'The input is named first: nightshift run INPUT; see nightshift run --help',
    };
  if (error instanceof PromptError)
    return { message: error.message, hint: 'Look at -t, --system, --schema and --params.' };
  if (error instanceof OutputError)
    return {
      message: error.message,
      hint: 'Answers are kept with the run: nightshift results -o FILE writes them again, without cost.',
    };
  if (error instanceof RunError) return { message: error.message, hint: hintOfFault[error.fault] };
  if (error instanceof ApiError) {
    const hint = exitOf(error) === exits.authentication ? hintOfFault.authentication : 'See: nightshift doctor';
    return { message: error.message, hint };
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return { message: (error as Error).message, hint: 'Is the path right?' };
  if (code === 'EACCES' || code === 'EPERM')
    return { message: (error as Error).message, hint: 'Who may read and write it?' };
  return null;
}
