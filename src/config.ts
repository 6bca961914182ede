/** The configuration: flags, environment and file become one typed value, or an error that says what to change. */
import { readFileSync } from 'node:fs';
import { readModels, readUpstreams, singleUpstream, type ModelRule, type UpstreamConfig } from './config/file.ts';
import { nearest } from './config/nearest.ts';
import {
  CONFIG_FILE_DEFAULT,
  fileKeyOf,
  flagOf,
  optionNames,
  options,
  variableOf,
  type OptionName,
  type OptionValues,
} from './config/options.ts';
import { otlpOf, otlpWarnings, type Otlp } from './config/otlp.ts';
import { asObject, ConfigError, readAt } from './config/read.ts';

export type Config = {
  readonly port: number;
  readonly host: string;
  /** The data folder. */
  readonly data: string;
  /** The file that was read, if any. */
  readonly configFile: string | null;
  readonly publicUrl: string | null;
  /** How many proxies are believed; 0 for none. */
  readonly trustedProxies: number;
  readonly corsOrigins: readonly string[];
  readonly httpRequestsPerMinute: number;
  readonly liveCounts: boolean;
  /** Fields and betas that the API does not know are refused. */
  readonly strict: boolean;
  readonly windowMs: number;
  readonly retentionMs: number;
  readonly cancelGraceMs: number;
  readonly drainMs: number;
  readonly logLevel: OptionValues['logLevel'];
  readonly logFormat: 'json' | 'pretty';
  readonly logColor: boolean;
  /** Where traces go; null for nowhere. */
  readonly otlp: Otlp | null;
  /** The preset first key; a secret. */
  readonly apiKey: string | null;
  /** The largest of any upstream. */
  readonly concurrency: number;
  readonly messagesConcurrency: number;
  /** At least one. */
  readonly upstreams: readonly UpstreamConfig[];
  /** The first that matches a model's name holds: exact names stand before patterns, longer patterns before shorter. */
  readonly models: readonly ModelRule[];
  /** No upstream was named anywhere: the simulator stands in. */
  readonly upstreamMissing: boolean;
  /** What was given and means nothing, for the operator. */
  readonly warnings: readonly string[];
};

export type ConfigSources = {
  /** What follows the command's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Null when there is no such file. */
  readonly readFile: (path: string) => string | null;
  /** Whether a person reads the log at a terminal. */
  readonly terminal: boolean;
};

/** Where the running process has its configuration from. */
export function systemSources(argv: readonly string[]): ConfigSources {
  return { argv, env: process.env, readFile: readFileOrNull, terminal: process.stderr.isTTY };
}

/** Flag before variable before file before default. Throws ConfigError. */
export function readConfig(sources: ConfigSources): Config {
  const flags = readFlags(sources.argv);
  const variables = readVariables(sources.env);
  const file = readConfigFile(flags.get('config') ?? variables.get('config') ?? null, sources.readFile);
  const standard = readStandardVariables(sources.env);
  const settings = new Map<OptionName, Given>([...standard, ...file.settings, ...variables, ...flags]);
  return assembled({ settings, file, sources });
}

/** Only where the data lies, for commands beside a server: what its upstreams need may be missing here. Throws ConfigError. */
export function readDataFolder(sources: ConfigSources): string {
  const flags = readFlags(sources.argv);
  const variables = readVariables(sources.env);
  const file = readConfigFile(flags.get('config') ?? variables.get('config') ?? null, sources.readFile);
  const settings = new Map<OptionName, Given>([...file.settings, ...variables, ...flags]);
  return valueOf('data', settings.get('data')) as string;
}

type Given = { readonly source: string; readonly from: 'flag' | 'variable' | 'file'; readonly value: unknown };

const secretWords = /^--(upstream-)?(api-?key|key|token|secret|password)$/;

function readFlags(argv: readonly string[]): Map<OptionName, Given> {
  const known = new Map(
    optionNames.filter((name) => options[name].from !== 'variable').map((name) => [flagOf(name), name]),
  );
  const given = new Map<OptionName, Given>();
  for (let index = 0; index < argv.length; index++) {
    const [, flag, attached] = /^(--?[^=]*)(?:=(.*))?$/s.exec(argv[index]) ?? [];
    if (flag === undefined)
      throw new ConfigError(
        `unexpected argument ${JSON.stringify(argv[index])}`,
        'Options begin with --; see: nightshift serve --help',
      );
    const name = known.get(flag);
    if (name === undefined) throw unknownFlag(flag, [...known.keys()]);
    if (given.has(name)) throw new ConfigError(`${flag} is given twice`, 'Give it once.');
    const { accepts, bare } = options[name].reader;
    const next = argv[index + 1];
    const isAlone = attached === undefined && (next === undefined || next.startsWith('--'));
    const value = attached ?? (isAlone ? bare : argv[++index]);
    if (value === undefined) {
      throw new ConfigError(`${flag} needs a value`, `Expected ${accepts}.`);
    }
    given.set(name, { source: flag, from: 'flag', value });
  }
  return given;
}

function unknownFlag(flag: string, known: readonly string[]): ConfigError {
  if (secretWords.test(flag)) {
    const variable = flag.startsWith('--upstream') ? variableOf('upstreamApiKey') : variableOf('apiKey');
    return new ConfigError(
      `${flag} is not an option: secrets do not belong on the command line`,
      `Set the variable ${variable}.`,
    );
  }
  const meant = nearest(flag, known);
  return new ConfigError(
    `unknown option ${flag}`,
    meant === null ? 'See: nightshift serve --help' : `Did you mean ${meant}?`,
  );
}

function readVariables(env: ConfigSources['env']): Map<OptionName, Given> {
  const given = new Map<OptionName, Given>();
  for (const name of optionNames) {
    const source = variableOf(name);
    const value = env[source];
    if (value === undefined || value === '') continue;
    if (name === 'port' && value.startsWith('tcp://')) {
      throw new ConfigError(
        `${source} is an address, not a port`,
        'Kubernetes sets it for a service named nightshift: set enableServiceLinks to false.',
      );
    }
    given.set(name, { source, from: 'variable', value });
  }
  return given;
}

/** What others have named before us, where we say nothing ourselves. */
function readStandardVariables(env: ConfigSources['env']): Map<OptionName, Given> {
  const given = new Map<OptionName, Given>();
  for (const name of optionNames) {
    const source = options[name].standard?.find((variable) => env[variable]);
    if (source !== undefined) given.set(name, { source, from: 'variable', value: env[source] });
  }
  return given;
}

/** Variables of the bulk client, and those Kubernetes sets for a service of our name, are not meant for us. */
const foreignVariables = /^NIGHTSHIFT_(RUN|SERVICE|PORT)_/;

function unknownVariables(env: ConfigSources['env'], named: ReadonlySet<string>): string[] {
  const known = optionNames.map(variableOf);
  const unknown = Object.keys(env).filter((name) => name.startsWith('NIGHTSHIFT_') && !foreignVariables.test(name));
  return unknown
    .filter((name) => !known.includes(name) && !named.has(name))
    .map((name) => {
      const meant = nearest(name, known);
      return `the variable ${name} means nothing here${meant === null ? '' : `; did you mean ${meant}?`}`;
    });
}

type ConfigFile = {
  readonly path: string | null;
  readonly settings: Map<OptionName, Given>;
  readonly upstreams: unknown;
  readonly models: unknown;
};

const fileParts = ['$schema', 'server', 'upstreams', 'models', 'run'];

function readConfigFile(given: Given | null, readFile: ConfigSources['readFile']): ConfigFile {
  const path = given === null ? CONFIG_FILE_DEFAULT : String(given.value);
  const content = readFile(path);
  if (content === null) {
    if (given !== null)
      throw new ConfigError(`${given.source}: there is no file ${path}`, 'Create it, or leave the option out.');
    return { path: null, settings: new Map(), upstreams: undefined, models: undefined };
  }
  const parts = asObject({ value: parsed(content, path), source: path, known: fileParts });
  const serverKeys = optionNames.filter((name) => options[name].from === 'anywhere');
  const server = asObject({ value: parts.server ?? {}, source: `${path}: server`, known: serverKeys });
  const settings = Object.entries(server).map(([name, value]): [OptionName, Given] => {
    return [name as OptionName, { source: `${path}: ${fileKeyOf(name as OptionName)}`, from: 'file', value }];
  });
  return { path, settings: new Map(settings), upstreams: parts.upstreams, models: parts.models };
}

function parsed(content: string, path: string): unknown {
  try {
    return JSON.parse(content.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    throw new ConfigError(
      `${path} is not JSON: ${(error as Error).message}`,
      'Mend the file; comments and trailing commas are not JSON.',
    );
  }
}

function assembled(given: { settings: Map<OptionName, Given>; file: ConfigFile; sources: ConfigSources }): Config {
  const { settings, file } = given;
  const { env } = given.sources;
  const values = Object.fromEntries(
    optionNames.map((name) => [name, valueOf(name, settings.get(name))]),
  ) as OptionValues;
  const lanes = upstreamsAndModels({ values, settings, file, env });
  const otlp = otlpOf({
    endpoint: values.otlpEndpoint,
    source: settings.get('otlpEndpoint')?.source,
    settings: {
      headers: values.otlpHeaders ?? {},
      serviceName: values.otlpServiceName,
      attemptsRatio: values.traceAttempts,
    },
    env,
  });
  const named = new Set(lanes.upstreams.map((upstream) => upstream.apiKeyEnv).filter((name) => name !== null));
  return {
    port: values.port,
    host: values.host,
    data: values.data,
    configFile: file.path,
    publicUrl: values.publicUrl,
    trustedProxies: values.trustProxy,
    corsOrigins: values.corsOrigin,
    httpRequestsPerMinute: values.httpRequestsPerMinute,
    liveCounts: values.liveCounts,
    strict: values.strict,
    windowMs: values.window,
    retentionMs: values.retention,
    cancelGraceMs: values.cancelGrace,
    drainMs: values.drain,
    ...logOf(values, given.sources),
    apiKey: values.apiKey,
    concurrency: Math.max(...lanes.upstreams.map((upstream) => upstream.concurrency)),
    messagesConcurrency: values.messagesConcurrency,
    ...lanes,
    otlp,
    warnings: [...unknownVariables(env, named), ...otlpWarnings(otlp, env)],
  };
}

function logOf(
  values: OptionValues,
  { terminal, env }: ConfigSources,
): Pick<Config, 'logLevel' | 'logFormat' | 'logColor'> {
  const suited = terminal ? 'pretty' : 'json';
  const logFormat = values.logFormat === 'auto' ? suited : values.logFormat;
  return { logLevel: values.logLevel, logFormat, logColor: terminal && !env.NO_COLOR };
}

function valueOf(name: OptionName, given: Given | undefined): unknown {
  if (given === undefined) return options[name].fallback;
  return readAt<unknown>(options[name].reader, given);
}

type Lanes = Pick<Config, 'upstreams' | 'models' | 'upstreamMissing'>;

/** The option `upstream` takes every model; named outside of the file it goes before the file's upstreams and models. */
function upstreamsAndModels(given: {
  values: OptionValues;
  settings: Map<OptionName, Given>;
  file: ConfigFile;
  env: ConfigSources['env'];
}): Lanes {
  const { values, settings, file, env } = given;
  const own = settings.get('upstream');
  if (own?.from === 'file' && file.upstreams !== undefined) {
    throw new ConfigError(`${file.path}: server.upstream and upstreams exclude each other`, 'Leave one of them out.');
  }
  const fromFile = file.upstreams !== undefined && own === undefined;
  if (!fromFile) {
    if (file.models !== undefined && own === undefined) {
      throw new ConfigError(`${file.path}: models needs upstreams`, 'Name the upstreams in the part upstreams.');
    }
    return { ...singleUpstream(values), upstreamMissing: values.upstream === null };
  }
  const source = String(file.path);
  const concurrencyGiven = settings.has('concurrency');
  const upstreams = readUpstreams({
    value: file.upstreams,
    source: `${source}: upstreams`,
    defaults: values,
    concurrencyGiven,
    env,
  });
  const models = readModels({ value: file.models, source: `${source}: models`, upstreams, model: values.model });
  return { upstreams, models, upstreamMissing: false };
}

function readFileOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new ConfigError(`cannot read ${path}: ${(error as Error).message}`, 'Make it a readable file.');
  }
}
