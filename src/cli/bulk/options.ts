/** Every flag of the bulk client, once: flags, variables, keys of the configuration file, help, completion and docs/bulk.md derive from it. */
import { CONCURRENCY_MAX } from '../../domain/limits.ts';
import { modelName, modelNames } from '../../config/options.ts';
import { duration, integer, number, oneOf, onOff, orNull, text, url, type Reader } from '../../config/values.ts';
import {
  anyText,
  byteSize,
  cut,
  fallback,
  listOf,
  names,
  namesOf,
  path,
  pattern,
  runName,
  share,
  tooLong,
} from './values.ts';

export const groups = ['Input', 'Prompt', 'Output', 'Spend', 'Batching', 'Policy', 'Process', 'Rows', 'Talk'] as const;

export type RunOption<T> = {
  readonly group: (typeof groups)[number];
  readonly reader: Reader<T>;
  readonly fallback: T;
  readonly prose: string;
  /** One letter after one dash. */
  readonly short?: string;
  /** Where the flag's name is not the option's. */
  readonly flag?: string;
  /** Means `on` where it stands alone, and `--no-…` is `off`. */
  readonly isSwitch?: true;
  /** May be given more than once. */
  readonly many?: true;
  /** Not in variables and file: it is about this one time. */
  readonly flagOnly?: true;
  readonly shownFallback?: string;
};

function option<T>(spec: Omit<RunOption<T>, 'fallback'> & { readonly fallback: NoInfer<T> }): RunOption<T> {
  return spec;
}

const onlyFlag = { flagOnly: true } as const;

function toggle(
  group: RunOption<boolean>['group'],
  prose: string,
  more: Partial<RunOption<boolean>> = {},
): RunOption<boolean> {
  return { group, reader: onOff, fallback: false, prose, isSwitch: true, ...more };
}

function optional<T>(group: RunOption<T>['group'], reader: Reader<T>, prose: string): RunOption<T | null> {
  return { group, reader: orNull(reader), fallback: null, prose };
}

export const outputFormats = ['jsonl', 'csv', 'tsv', 'parquet', 'sqlite', 'postgres', 'raw'] as const;
export const retriable = [
  'errored',
  'expired',
  'truncated',
  'invalid',
  'refused',
  'rejected',
  'canceled',
  'missing',
  'incomplete',
] as const;
const rowStates = ['pending', 'sent', 'ok', ...retriable, 'skipped'] as const;
const count = (max: number): Reader<number> => integer({ min: 1, max });

/** The rows of a batch at the official API. */
const CHUNK_REQUESTS_MAX = 100_000;
/** "256 MB" without a unit, and room for the envelope. */
const CHUNK_BYTES_MAX = 250_000_000;

export const runOptions = {
  format: {
    ...optional('Input', oneOf(['csv', 'tsv', 'jsonl', 'json', 'txt', 'parquet', 'dir']), 'What the input is.'),
    shownFallback: 'by its name',
  },
  sql: optional(
    'Input',
    anyText('QUERY'),
    'Rows are those of this query, over the input or --db (DuckDB must be installed).',
  ),
  db: optional('Input', anyText('URL'), 'Database the query is asked of: postgres://…, or a DuckDB or SQLite file.'),
  id: {
    ...optional('Input', anyText('COLUMN'), 'Column by which a person knows a row.'),
    shownFallback: 'id if there is one, else the row number',
  },
  where: optional('Input', anyText('EXPR'), 'Only rows for which this holds.'),
  limit: optional('Input', count(1_000_000_000), 'Only the first so many rows.'),
  sample: optional('Input', count(1_000_000_000), 'Only so many rows, by chance.'),
  seed: optional('Input', integer({ min: 0, max: 2 ** 32 - 1 }), 'The same seed takes the same sample.'),
  input: { ...optional('Input', anyText('INPUT'), 'The rows that adopted batches were made from.'), ...onlyFlag },

  template: {
    ...optional(
      'Prompt',
      anyText('TEXT|FILE'),
      "The prompt, with {{column}} where a column goes; a file's name or @FILE reads it, .liquid as Liquid, .ts as a function.",
    ),
    short: 't',
  },
  system: optional('Prompt', anyText('TEXT|FILE'), 'The system prompt; @FILE reads it.'),
  params: optional('Prompt', path, 'JSON file with further parameters of every request.'),
  image: option<readonly string[]>({
    group: 'Prompt',
    reader: names('COLUMN'),
    fallback: [],
    prose: 'Columns that hold images: paths, URLs or base64.',
    many: true,
    shownFallback: 'none',
  }),
  document: option<readonly string[]>({
    group: 'Prompt',
    reader: names('COLUMN'),
    fallback: [],
    prose: 'Columns that hold documents.',
    many: true,
    shownFallback: 'none',
  }),
  model: { ...optional('Prompt', modelName, 'The model.'), short: 'm' },
  maxTokens: { ...optional('Prompt', count(1_000_000), 'Tokens an answer may have.'), shownFallback: '1024' },
  temperature: optional('Prompt', number({ min: 0, max: 1 }), 'Randomness of the answers.'),
  schema: optional('Prompt', path, 'JSON schema that every answer must fit.'),
  toolMode: toggle('Prompt', 'Ask for the schema with a forced tool instead of output_config.format.'),
  truncate: option({
    group: 'Prompt',
    reader: listOf(cut),
    fallback: [],
    prose: 'Cut this column before it is sent.',
    many: true,
  }),
  cache: option({
    group: 'Prompt',
    reader: oneOf(['auto', '5m', '1h', 'off']),
    fallback: 'auto',
    prose: 'Mark the beginning that requests share, so that it is read from the cache.',
  }),

  out: {
    ...optional(
      'Output',
      anyText('FILE|URL'),
      'Where every row goes: .jsonl .csv .tsv .parquet .sqlite or postgres://…?table=T&key=COLUMN.',
    ),
    short: 'o',
    shownFallback: 'standard output',
  },
  outFormat: {
    ...optional('Output', oneOf(outputFormats), 'What the output is.'),
    shownFallback: 'by its name, else jsonl',
  },
  resultFormat: {
    ...optional('Output', oneOf(outputFormats), 'What the output is.'),
    flag: '--format',
    shownFallback: 'by its name, else jsonl',
    ...onlyFlag,
  },
  join: toggle('Output', "The input's columns stand beside each answer.", { fallback: true }),
  columns: { ...optional('Output', names('COLUMN,…'), 'Only these columns.'), many: true, shownFallback: 'all' },
  order: option({
    group: 'Output',
    reader: oneOf(['input', 'arrival']),
    fallback: 'input',
    prose: 'Order of the rows in a file; standard output has them as they come.',
  }),
  errors: optional('Output', path, 'A copy of the rows that failed.'),

  maxCost: optional(
    'Spend',
    number({ min: 0, max: 10_000_000 }),
    'Dollars after which no more is submitted; the rest stays pending.',
  ),
  confirmAbove: option({
    group: 'Spend',
    reader: number({ min: 0, max: 10_000_000 }),
    fallback: 1,
    prose: 'Dollars from which a person at a terminal is asked first.',
  }),
  yes: toggle('Spend', 'Do not ask.', { short: 'y' }),
  canary: option({
    group: 'Spend',
    reader: integer({ min: 0, max: 100 }),
    fallback: 0,
    prose: 'Rows asked by the Messages API before anything is submitted.',
  }),
  compare: optional('Spend', modelNames, 'Price these models too.'),
  dedupe: toggle('Spend', 'Buy equal requests once and answer them everywhere.', { fallback: true }),
  warmCache: option({
    group: 'Spend',
    reader: oneOf(['auto', 'off']),
    fallback: 'off',
    prose: 'Fill the cache with a batch of one request before the rest.',
  }),

  chunkRequests: {
    ...optional('Batching', count(CHUNK_REQUESTS_MAX), 'Requests in a batch, at most.'),
    shownFallback: 'by the size of the run',
  },
  chunkBytes: {
    ...optional('Batching', byteSize({ max: CHUNK_BYTES_MAX }), 'Size of a batch, at most.'),
    shownFallback: 'by the size of the run',
  },
  inFlightRequests: {
    ...optional('Batching', count(10_000_000), 'Requests in unfinished batches, at most.'),
    shownFallback: 'what the API allows',
  },
  stagger: {
    ...optional('Batching', duration({ minMs: 0 }), 'Time between two submissions.'),
    shownFallback: 'as fast as the API allows',
  },
  sync: toggle('Batching', 'No batches: every row by the Messages API, at its price.'),

  retries: option({
    group: 'Policy',
    reader: integer({ min: 0, max: 100 }),
    fallback: 3,
    prose: 'New attempts for a row that failed through no fault of its own.',
  }),
  onTruncated: option({
    group: 'Policy',
    reader: oneOf(['grow', 'keep', 'fail']),
    fallback: 'grow',
    prose: 'An answer cut at max_tokens: once more with twice as many, or as it is.',
  }),
  onInvalid: option({
    group: 'Policy',
    reader: oneOf(['reask', 'keep', 'fail']),
    fallback: 'reask',
    prose: 'An answer that does not fit the schema.',
  }),
  onRefusal: option({ group: 'Policy', reader: oneOf(['keep', 'fail']), fallback: 'keep', prose: 'A refusal.' }),
  onTooLong: option({
    group: 'Policy',
    reader: tooLong,
    fallback: [],
    prose: 'A prompt the API calls too long.',
    many: true,
  }),
  fallback: {
    ...optional('Policy', fallback, 'Ask the Messages API, at full price, for what still waits after so long.'),
    shownFallback: 'never',
  },
  stopIfErrorRate: {
    ...optional('Policy', share, 'Submit no more when so many answers are errors.'),
    shownFallback: 'never',
  },
  deadline: {
    ...optional('Policy', duration({ minMs: 1_000 }), 'After so long, rows that expire are given up.'),
    shownFallback: 'none',
  },
  strict: toggle('Policy', 'End with 9 while a submission is unresolved.'),

  name: { ...optional('Process', runName, 'Name of the run.'), shownFallback: 'of the input' },
  state: option({
    group: 'Process',
    reader: path,
    fallback: '.nightshift',
    prose: 'Folder with a folder for each run; on a disk of this machine.',
  }),
  baseUrl: option({
    group: 'Process',
    reader: url,
    fallback: 'https://api.anthropic.com',
    prose: 'The API; ANTHROPIC_BASE_URL says it too.',
  }),
  local: toggle('Process', 'Start a server for the time of the run; its data lies with the run.'),
  upstream: {
    ...optional('Process', anyText('PROTOCOL:URL'), 'With --local: where the models are, as for nightshift serve.'),
    shownFallback: 'the simulator',
  },
  upstreamModel: optional('Process', modelName, 'With --local: the name of the model there.'),
  concurrency: optional('Process', count(CONCURRENCY_MAX), 'With --local: calls in flight at once.'),
  detach: toggle('Process', 'Go on in the background; prints the run and its process.', onlyFlag),
  wait: { ...optional('Process', duration({ minMs: 0 }), 'Detach after so long and end with 10.'), ...onlyFlag },
  dryRun: toggle('Process', 'As nightshift plan.', onlyFlag),
  new: toggle('Process', 'Start another run where one of this name exists.', onlyFlag),
  asStarted: toggle('Process', 'Go on as the run began, whatever the flags say now.', onlyFlag),
  onlyChanged: toggle('Process', 'Send only the rows whose request differs.', onlyFlag),
  refresh: toggle('Process', 'Ask the API, too.', onlyFlag),
  exitStatus: toggle('Process', 'End with 10 while it runs and 3 if rows failed.', onlyFlag),

  only: {
    ...optional('Rows', namesOf(retriable), 'Rows in these states.'),
    ...onlyFlag,
    many: true,
    shownFallback: 'errored,expired,truncated,invalid,missing',
  },
  error: { ...optional('Rows', pattern, 'Only rows whose error matches.'), ...onlyFlag },
  rowStates: {
    ...optional('Rows', namesOf(rowStates), 'Only rows in these states.'),
    flag: '--only',
    ...onlyFlag,
    many: true,
    shownFallback: 'all',
  },
  follow: toggle('Rows', 'Go on with what comes until the run is finished.', onlyFlag),
  by: {
    ...optional(
      'Rows',
      text({ accepts: 'model, batch or attempt', placeholder: 'model|batch', pattern: /^(model|batch)$/ }),
      'What the costs are grouped by.',
    ),
    ...onlyFlag,
  },
  olderThan: option({
    group: 'Rows',
    reader: duration({ minMs: 0 }),
    fallback: 30 * 86_400_000,
    prose: 'Only finished runs that have not changed for so long.',
    ...onlyFlag,
  }),

  json: toggle('Talk', 'Print JSON.'),
  progress: option({
    group: 'Talk',
    reader: oneOf(['auto', 'bar', 'plain', 'json', 'none']),
    fallback: 'auto',
    prose: 'How a run is told on standard error.',
  }),
  quiet: toggle('Talk', 'Only errors.', { short: 'q' }),
  color: toggle('Talk', 'Colors; NO_COLOR, FORCE_COLOR and TERM=dumb are heeded.', { fallback: true }),
  config: {
    ...optional('Talk', path, 'The configuration file; its part "run" is read.'),
    flagOnly: true,
    shownFallback: 'nightshift.config.json if it exists',
  },
} as const satisfies Record<string, RunOption<never> | object>;

export type RunOptionName = keyof typeof runOptions;
export type RunValues = { readonly [Name in RunOptionName]: (typeof runOptions)[Name]['fallback'] };

export const runOptionNames = Object.keys(runOptions) as RunOptionName[];

export function optionOf(name: RunOptionName): RunOption<unknown> {
  return runOptions[name] as RunOption<unknown>;
}

export function flagOf(name: RunOptionName): string {
  return optionOf(name).flag ?? `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function variableOf(name: RunOptionName): string {
  return `NIGHTSHIFT_RUN_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
