/** The log: what the events say to an operator, as one structured line each; never a prompt, an answer or a key. */
import pino from 'pino';
import type { NightshiftEvent } from './events.ts';
import { prettyLine, type LogRecord } from './pretty.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

export type Log = { observe(event: NightshiftEvent): void; close(): void };

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  readonly color?: boolean;
  /** Where lines go; standard error by default. */
  readonly write?: (line: string) => void;
};

/** Lines nobody takes (a full pipe) are dropped beyond this: a log must not stop the work. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

export function createLog(options: LogOptions): Log {
  const minimum = logLevels.indexOf(options.level);
  const output = options.write === undefined ? standardError() : { write: options.write, close: () => undefined };
  const write =
    options.format === 'json' ? jsonWriter(output, options.level) : prettyWriter(output, options.color ?? false);
  return {
    observe(event) {
      const level = levelOf(event);
      if (logLevels.indexOf(level) >= minimum) write(recordOf(event, level));
    },
    close: () => output.close(),
  };
}

type Output = { write(line: string): void; close(): void };

function standardError(): Output {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: UNWRITTEN_BYTES_MAX });
  // When nobody reads any more there is nobody to tell.
  destination.on('error', () => undefined);
  return {
    write: (line) => void destination.write(line),
    close() {
      try {
        destination.flushSync();
      } catch {
        // The reader is gone, or has not taken the rest in time.
      }
    },
  };
}

function jsonWriter(output: Output, level: LogLevel): (record: LogRecord) => void {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  return ({ level: own, message, fields }) => logger[own](fields, message);
}

function prettyWriter(output: Output, color: boolean): (record: LogRecord) => void {
  return (record) => output.write(prettyLine(record, { color, at: new Date() }));
}

/** What happens thousands of times a second is told only on request; what needs somebody's hand is a warning. */
function levelOf(event: NightshiftEvent): LogRecord['level'] {
  switch (event.kind) {
    case 'attempt':
    case 'outcomes':
    case 'used':
    case 'journal_synced':
    case 'lane_window':
    case 'message':
    case 'catalog_call':
      return 'trace';
    case 'http':
      return event.status >= 500 ? 'warn' : 'debug';
    case 'sealed':
      return 'debug';
    case 'lane_trouble':
    case 'key_refused':
    case 'first_key_useless':
    case 'seal_stale':
    case 'storage_full':
    case 'clock_jumped':
    case 'torn_tail':
    case 'foreign_file':
    case 'spans_dropped':
      return 'warn';
    case 'failure':
      return 'error';
    default:
      return 'info';
  }
}

function recordOf(event: NightshiftEvent, level: LogRecord['level']): LogRecord {
  const { kind, ...fields } = event;
  const message = kind.replaceAll('_', ' ');
  if (event.kind !== 'failure') return { level, message, fields };
  return {
    level,
    message: `failure in ${event.where}`,
    fields: { requestId: event.requestId, error: describeError(event.error) },
  };
}

const CAUSES_MAX = 3;

/** An error as plain data: only these properties, because others may hold a request or its answer. */
export function describeError(error: unknown, depth = 0): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { name: typeof error, message: 'something that is no error was thrown' };
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  // The message of a syntax error quotes the text that was read, which may be a prompt or an answer.
  const quotes = error instanceof SyntaxError;
  return {
    name: error.name,
    message: quotes ? 'withheld: it may quote what was read' : error.message,
    ...(typeof code === 'string' && { code }),
    ...(typeof hint === 'string' && { hint }),
    stack: framesOf(error),
    ...(error.cause !== undefined && depth < CAUSES_MAX && { cause: describeError(error.cause, depth + 1) }),
  };
}

/** Without the first line, which repeats the message. */
function framesOf(error: Error): string {
  const lines = (error.stack ?? '').split('\n');
  return lines.filter((line) => line.startsWith('    at ')).join('\n');
}
