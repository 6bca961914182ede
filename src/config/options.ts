/** Every option, once: flags, variables, keys of the configuration file, the help and docs/configuration.md derive from this table. */
import * as limits from '../domain/limits.ts';
import { headerList, TRACES_ENDPOINT } from './otlp.ts';
import { upstreamAddress, upstreamProfile, type UpstreamAddress, type UpstreamProfile } from './upstream-address.ts';
import {
  duration,
  integer,
  number,
  oneOf,
  onOff,
  origins,
  orNull,
  proxies,
  secret,
  text,
  url,
  type Reader,
} from './values.ts';

export type OptionGroup = 'Serving' | 'Upstream' | 'Batches' | 'Simulator' | 'Operation' | 'Secrets';

export type Option<T> = {
  readonly group: OptionGroup;
  readonly reader: Reader<T>;
  readonly fallback: T;
  readonly prose: string;
  /** Where it may stand: a secret only in a variable, the file's own path not in the file. */
  readonly from: 'anywhere' | 'flag or variable' | 'variable';
  /** Variables of others that are honoured where ours is absent, the first that is set. */
  readonly standard?: readonly string[];
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
/** As text with commas, or in the file as a list. */
export const modelNames: Reader<readonly string[]> = {
  accepts: 'names of models, with commas between them',
  placeholder: 'LIST',
  read(value) {
    const names: readonly unknown[] = typeof value === 'string' ? value.split(',').map((name) => name.trim()) : [value];
    return names.flat().map((name) => modelName.read(name));
  },
  show: (names) => names.join(','),
};
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
  trustProxy: option({
    group: 'Serving',
    reader: proxies(limits.PROXIES_MAX),
    fallback: 0,
    prose:
      'Whether X-Forwarded-Proto, -Host and -For (or Forwarded) are believed, and of how many proxies one behind the other; they must set these headers.',
  }),
  corsOrigin: option<readonly string[]>({
    group: 'Serving',
    reader: origins(limits.CORS_ORIGINS_MAX),
    fallback: [],
    prose: 'Origins whose web pages may call the API from a browser (CORS).',
  }),
  httpRequestsPerMinute: option({
    group: 'Serving',
    reader: integer({ min: 1, max: 1_000_000_000 }),
    fallback: limits.HTTP_REQUESTS_PER_MINUTE_DEFAULT,
    prose: 'Requests to the API that a workspace may make in a minute.',
  }),
  strict: option({
    group: 'Serving',
    reader: onOff,
    fallback: false,
    shownFallback: 'off',
    prose:
      'Answer fields that the API does not know with errored lines, as it does, and unknown betas with 400; off passes them on.',
  }),
  liveCounts: option({
    group: 'Serving',
    reader: onOff,
    fallback: false,
    prose: 'Counts of a batch move while it runs; the official ones stand still until its end.',
  }),

  upstream: option<UpstreamAddress | null>({
    group: 'Upstream',
    reader: orNull(upstreamAddress),
    fallback: null,
    shownFallback: 'the simulator',
    prose:
      'Where every model is: anthropic:http://host:port for whatever speaks the Messages API, openai:http://host:port/v1 for chat completions, or simulator.',
  }),
  upstreamProfile: option<UpstreamProfile>({
    group: 'Upstream',
    reader: upstreamProfile,
    fallback: 'auto',
    prose: 'What kind of server speaks chat completions at the upstream; auto asks it for its models.',
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
  messagesConcurrency: option({
    group: 'Upstream',
    reader: concurrency,
    fallback: limits.SYNC_CONCURRENCY_DEFAULT,
    prose: 'Of these, synchronous ones (POST /v1/messages), at most; they go before batches.',
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
  simulatorProfile: option({
    group: 'Simulator',
    reader: oneOf(['steady', 'slow', 'throttled', 'flaky', 'brown-out', 'hanging', 'garbage']),
    fallback: 'steady',
    prose: 'How the simulated provider behaves.',
  }),
  simulatorModels: option<readonly string[] | null>({
    group: 'Simulator',
    reader: orNull(modelNames),
    fallback: null,
    shownFallback: 'every name',
    prose: 'The models the simulator has; a request for another fails.',
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
  otlpEndpoint: option<string | null>({
    group: 'Operation',
    reader: orNull(url),
    fallback: null,
    shownFallback: 'no traces',
    prose: 'Where traces are sent by OTLP over HTTP in JSON: the base of a collector, to which /v1/traces is added.',
    standard: [TRACES_ENDPOINT, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  }),
  otlpServiceName: option({
    group: 'Operation',
    reader: text({ accepts: 'a name', placeholder: 'NAME', pattern: /^\P{Cc}{1,256}$/u }),
    fallback: 'nightshift',
    prose: 'Name of the service in traces.',
    standard: ['OTEL_SERVICE_NAME'],
  }),
  traceAttempts: option({
    group: 'Operation',
    reader: number({ min: 0, max: 1 }),
    fallback: 0.01,
    prose: `Share of the calls that succeeded which are traced; of those that failed all are, up to ${limits.TRACED_FAILURES_PER_SECOND} a second.`,
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
  otlpHeaders: option<Readonly<Record<string, string>> | null>({
    group: 'Secrets',
    reader: orNull(headerList),
    fallback: null,
    prose: 'Headers of the calls to the collector of traces.',
    from: 'variable',
    standard: ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'],
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
