/** Every option, once: flags, variables, keys of the configuration file, the help and docs/configuration.md derive from this table. */
import * as limits from '../domain/limits.ts';
import { upstreamAddress, type UpstreamAddress } from './upstream-address.ts';
import { duration, integer, oneOf, orNull, secret, text, url, type Reader } from './values.ts';

export type OptionGroup = 'Serving' | 'Upstream' | 'Batches' | 'Simulator' | 'Operation' | 'Secrets';

export type Option<T> = {
  readonly group: OptionGroup;
  readonly reader: Reader<T>;
  readonly fallback: T;
  readonly prose: string;
  /** Where it may stand: a secret only in a variable, the file's own path not in the file. */
  readonly from: 'anywhere' | 'flag or variable' | 'variable';
  /** How the default is told, where its value says little. */
  readonly shownFallback?: string;
};

function option<T>(
  spec: Omit<Option<T>, 'from' | 'fallback'> & { readonly fallback: NoInfer<T>; readonly from?: Option<T>['from'] },
): Option<T> {
  return { from: 'anywhere', ...spec };
}

const rate = orNull(integer({ min: 1, max: 1_000_000_000 }));
const filePath = text({ accepts: 'a path', placeholder: 'PATH', pattern: /^\P{Cc}+$/u });
export const modelName = text({ accepts: 'the name of a model', placeholder: 'NAME', pattern: /^\P{Cc}{1,256}$/u });
export const concurrency = integer({ min: 1, max: limits.CONCURRENCY_MAX });
export const perMinute = rate;

export const CONFIG_FILE_DEFAULT = 'nightshift.config.json';

export const options = {
  port: option({
    group: 'Serving',
    reader: integer({ min: 0, max: 65_535 }),
    fallback: 2424,
    prose: 'Port to listen on; 0 takes a free one.',
  }),
  host: option({
    group: 'Serving',
    reader: text({ accepts: 'an address or host name', placeholder: 'HOST', pattern: /^[\w.:-]+$/ }),
    fallback: '127.0.0.1',
    prose: 'Address to listen on; 0.0.0.0 for every IPv4 address of the machine.',
  }),
  data: option({
    group: 'Serving',
    reader: filePath,
    fallback: './nightshift-data',
    prose: 'Folder that holds everything; created when missing.',
  }),
  config: option<string | null>({
    group: 'Serving',
    reader: orNull(filePath),
    fallback: null,
    shownFallback: `${CONFIG_FILE_DEFAULT} if it exists`,
    prose: 'The configuration file.',
    from: 'flag or variable',
  }),
  publicUrl: option<string | null>({
    group: 'Serving',
    reader: orNull(url),
    fallback: null,
    shownFallback: 'the Host header of each request',
    prose: 'Where clients reach the server, if not at its own address; result URLs begin with it.',
  }),
  httpRequestsPerMinute: option({
    group: 'Serving',
    reader: integer({ min: 1, max: 1_000_000_000 }),
    fallback: limits.HTTP_REQUESTS_PER_MINUTE_DEFAULT,
    prose: 'Requests to the API that a workspace may make in a minute.',
  }),

  upstream: option<UpstreamAddress | null>({
    group: 'Upstream',
    reader: orNull(upstreamAddress),
    fallback: null,
    shownFallback: 'the simulator',
    prose: 'Where every model is: anthropic:http://host:port for whatever speaks the Messages API, or simulator.',
  }),
  model: option<string | null>({
    group: 'Upstream',
    reader: orNull(modelName),
    fallback: null,
    shownFallback: 'the name in the request',
    prose: 'Name of the model at the upstream.',
  }),
  concurrency: option({
    group: 'Upstream',
    reader: concurrency,
    fallback: limits.CONCURRENCY_DEFAULT,
    prose: 'Calls in flight at once, at most, for one upstream and model.',
  }),
  requestsPerMinute: option<number | null>({
    group: 'Upstream',
    reader: rate,
    fallback: null,
    shownFallback: 'no limit',
    prose: 'Calls to an upstream and model in a minute.',
  }),
  tokensPerMinute: option<number | null>({
    group: 'Upstream',
    reader: rate,
    fallback: null,
    shownFallback: 'no limit',
    prose: 'Tokens for an upstream and model in a minute.',
  }),

  window: option({
    group: 'Batches',
    reader: duration({ minMs: 1 }),
    fallback: limits.WINDOW_MS_DEFAULT,
    prose: 'Time a batch has; requests unfinished by then expire.',
  }),
  retention: option({
    group: 'Batches',
    reader: duration({ minMs: 1 }),
    fallback: limits.RETENTION_MS_DEFAULT,
    prose: 'Time after its creation for which the results of a batch are kept.',
  }),
  cancelGrace: option({
    group: 'Batches',
    reader: duration({ minMs: 0 }),
    fallback: limits.CANCEL_GRACE_MS_DEFAULT,
    prose: 'Time that calls in flight get to finish when their batch is canceled.',
  }),

  simulatorLatency: option({
    group: 'Simulator',
    reader: duration({ minMs: 0 }),
    fallback: 0,
    shownFallback: 'at once',
    prose: 'Time a simulated answer takes.',
  }),
  simulatorSeed: option({
    group: 'Simulator',
    reader: integer({ min: 0, max: 2 ** 32 - 1 }),
    fallback: 1,
    prose: 'Seed of the simulated answers: the same seed answers the same.',
  }),

  drain: option({
    group: 'Operation',
    reader: duration({ minMs: 0 }),
    fallback: limits.DRAIN_MS,
    prose: 'Time that calls in flight get to finish when the server is told to stop.',
  }),
  logLevel: option({
    group: 'Operation',
    reader: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
    fallback: 'info',
    prose: 'What is logged to standard error.',
  }),
  logFormat: option({
    group: 'Operation',
    reader: oneOf(['auto', 'json', 'pretty']),
    fallback: 'auto',
    prose: 'Form of the log; auto is pretty at a terminal and json elsewhere.',
  }),

  apiKey: option<string | null>({
    group: 'Secrets',
    reader: orNull(secret),
    fallback: null,
    shownFallback: 'made at the first start',
    prose:
      'First key of the default workspace; without it the first start makes one, prints it and keeps it in DATA/first-key.',
    from: 'variable',
  }),
  upstreamApiKey: option<string | null>({
    group: 'Secrets',
    reader: orNull(secret),
    fallback: null,
    shownFallback: 'none is sent',
    prose: 'Key sent to the upstream; the key of a caller never is.',
    from: 'variable',
  }),
} as const;

export type OptionName = keyof typeof options;
export type OptionValues = { readonly [Name in OptionName]: (typeof options)[Name]['fallback'] };

export const optionNames = Object.keys(options) as OptionName[];

export function flagOf(name: OptionName): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function variableOf(name: OptionName): string {
  return `NIGHTSHIFT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The key inside the part `server` is the option's own name. */
export function fileKeyOf(name: OptionName): string {
  return `server.${name}`;
}
