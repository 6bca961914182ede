/** A log record as a short line for a person at a terminal. */

export type LogRecord = {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

const colors: Readonly<Record<LogRecord['level'], string>> = {
  trace: '90',
  debug: '36',
  info: '32',
  warn: '33',
  error: '31',
};

export function prettyLine(record: LogRecord, options: { color: boolean; at: Date }): string {
  const paint = (text: string, code: string): string => (options.color ? `\u001B[${code}m${text}\u001B[0m` : text);
  const time = paint(options.at.toTimeString().slice(0, 8), '90');
  const level = paint(record.level.padEnd(5), colors[record.level]);
  const { error, ...plain } = record.fields;
  const fields = Object.entries(plain).filter(([, value]) => value !== null && value !== undefined);
  const rest = fields.map(([name, value]) => `${paint(`${name}=`, '90')}${shown(name, value)}`);
  return `${[time, level, record.message, ...rest].join(' ')}\n${error === undefined ? '' : errorLines(error as ErrorFields)}`;
}

type ErrorFields = { name: string; message: string; stack?: string; hint?: string; code?: string; cause?: ErrorFields };

function errorLines({ name, message, stack, hint, code, cause }: ErrorFields): string {
  const head = `    ${name}${code === undefined ? '' : ` (${code})`}: ${message}\n`;
  const advice = hint === undefined ? '' : `    hint: ${hint}\n`;
  const frames = stack ? `${stack}\n` : '';
  return head + advice + frames + (cause === undefined ? '' : `    caused by\n${errorLines(cause)}`);
}

function shown(name: string, value: unknown): string {
  if (typeof value === 'number' && !Number.isInteger(value))
    return name.endsWith('Ms') ? value.toFixed(1) : value.toPrecision(4);
  // Control characters of a name that came from outside must not reach the terminal.
  return typeof value === 'string' && /^[\w:/.@~+-]+$/.test(value) ? value : JSON.stringify(value);
}
