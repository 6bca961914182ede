/** The parts `upstreams` and `models` of the configuration file. */
import type { Billing } from '../upstreams/upstream.ts';
import { concurrency, modelName, perMinute, variableOf, type OptionValues } from './options.ts';
import { readOwnPrices, type OwnPrices } from './own-prices.ts';
import { asObject, ConfigError, readAt } from './read.ts';
import { protocol, upstreamProfile, upstreamUrl, type Protocol, type UpstreamProfile } from './upstream-address.ts';
import { oneOf, quoted, secret, text, type Reader } from './values.ts';

export type UpstreamConfig = {
  readonly name: string;
  readonly protocol: Protocol;
  /** Null for the simulator. */
  readonly url: string | null;
  /** What kind of server it is; means something to the protocol openai alone. */
  readonly profile: UpstreamProfile;
  /** How the simulator answers; means nothing to the others. */
  readonly simulator: {
    readonly latencyMs: number;
    readonly seed: number;
    readonly profile: OptionValues['simulatorProfile'];
    readonly models: readonly string[] | null;
  };
  /** A secret. */
  readonly apiKey: string | null;
  /** The variable the key comes from. */
  readonly apiKeyEnv: string | null;
  readonly billing: Billing;
  /** What it costs where its billing is `own`; null when nobody said. */
  readonly prices: OwnPrices | null;
  readonly concurrency: number;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
};

export type ModelRule = {
  /** A name, or the beginning of names followed by `*`. */
  readonly pattern: string;
  readonly upstream: string;
  /** The name at the upstream; null leaves the name in the request. */
  readonly model: string | null;
};

/** The upstream of the option `upstream`, or the simulator; it takes every model. */
export function singleUpstream(values: OptionValues): {
  readonly upstreams: readonly UpstreamConfig[];
  readonly models: readonly ModelRule[];
} {
  const address = values.upstream ?? { protocol: 'simulator', url: null };
  const name = address.protocol === 'simulator' ? 'simulator' : 'upstream';
  const upstream: UpstreamConfig = {
    name,
    ...address,
    profile: values.upstreamProfile,
    simulator: simulatorOf(values),
    apiKey: address.url === null ? null : values.upstreamApiKey,
    apiKeyEnv: address.url === null ? null : variableOf('upstreamApiKey'),
    billing: usualBilling(address),
    prices: null,
    concurrency: values.concurrency,
    requestsPerMinute: values.requestsPerMinute,
    tokensPerMinute: values.tokensPerMinute,
  };
  return { upstreams: [upstream], models: [{ pattern: '*', upstream: name, model: values.model }] };
}

function simulatorOf(values: OptionValues): UpstreamConfig['simulator'] {
  const {
    simulatorLatency: latencyMs,
    simulatorSeed: seed,
    simulatorProfile: profile,
    simulatorModels: models,
  } = values;
  return { latencyMs, seed, profile, models };
}

const providers: readonly (string | undefined)[] = ['api.anthropic.com', 'api.openai.com'];

/** Only a provider's own API has list prices; whatever else answers is somebody's own machine until they say otherwise. */
function usualBilling(address: { protocol: Protocol; url: string | null }): Billing {
  if (address.protocol === 'simulator') return 'simulated';
  return providers.includes(URL.parse(address.url ?? '')?.hostname) ? 'standard' : 'own';
}

/** It must not hold a line break: lanes are named by upstream, line break, model. */
const upstreamName = text({
  accepts: 'a name of letters, digits, ".", "_" and "-"',
  placeholder: 'NAME',
  pattern: /^[\w.-]{1,64}$/,
});
const variableName = text({ accepts: 'the name of a variable', placeholder: 'NAME', pattern: /^[A-Za-z_]\w*$/ });
const billing = oneOf(['standard', 'own', 'simulated']);
const upstreamKeys = ['protocol', 'url', 'profile', 'apiKeyEnv', 'billing', 'prices', 'concurrency', 'limits'];
const limitKeys = ['requestsPerMinute', 'tokensPerMinute'];

type UpstreamsQuery = {
  readonly value: unknown;
  readonly source: string;
  readonly defaults: OptionValues;
  /** The option `concurrency` was given, so it caps what the file says; its default does not. */
  readonly concurrencyGiven: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
};

export function readUpstreams(query: UpstreamsQuery): readonly UpstreamConfig[] {
  const entries = Object.entries(asObject({ value: query.value, source: query.source, known: null }));
  if (entries.length === 0)
    throw new ConfigError(`${query.source} names no upstream`, 'Name one, or leave the part out.');
  return entries.map(([name, value]) => {
    readAt(upstreamName, { source: query.source, value: name });
    return readUpstream({ ...query, name, value, source: `${query.source}.${name}`, only: entries.length === 1 });
  });
}

function readUpstream(query: UpstreamsQuery & { readonly name: string; readonly only: boolean }): UpstreamConfig {
  const { name, source, defaults } = query;
  const fields = asObject({ value: query.value, source, known: upstreamKeys });
  const limits = asObject({ value: fields.limits ?? {}, source: `${source}.limits`, known: limitKeys });
  const at = <T, F>(reader: Reader<T>, key: string, fallback: F): T | F =>
    fields[key] === undefined ? fallback : readAt(reader, { source: `${source}.${key}`, value: fields[key] });
  const limit = (key: 'requestsPerMinute' | 'tokensPerMinute'): number | null =>
    limits[key] === undefined
      ? defaults[key]
      : readAt(perMinute, { source: `${source}.limits.${key}`, value: limits[key] });

  const spoken = readAt(protocol, { source: `${source}.protocol`, value: fields.protocol ?? null });
  const address = { protocol: spoken, url: at(upstreamUrl, 'url', null) };
  if ((spoken === 'simulator') !== (address.url === null)) {
    throw new ConfigError(
      `${source}: ${spoken === 'simulator' ? 'the simulator has no url' : 'url is missing'}`,
      'A url belongs to every protocol but simulator.',
    );
  }
  const own = at(concurrency, 'concurrency', defaults.concurrency);
  const paid = at(billing, 'billing', usualBilling(address));
  return {
    name,
    ...address,
    profile: at(upstreamProfile, 'profile', defaults.upstreamProfile),
    simulator: simulatorOf(defaults),
    ...keyOf({ ...query, apiKeyEnv: at(variableName, 'apiKeyEnv', null), simulated: spoken === 'simulator' }),
    billing: paid,
    prices: readOwnPrices({ value: fields.prices, source: `${source}.prices`, billing: paid }),
    concurrency: query.concurrencyGiven ? Math.min(own, defaults.concurrency) : own,
    requestsPerMinute: limit('requestsPerMinute'),
    tokensPerMinute: limit('tokensPerMinute'),
  };
}

type KeyQuery = UpstreamsQuery & {
  readonly only: boolean;
  readonly apiKeyEnv: string | null;
  readonly simulated: boolean;
};

/** With several upstreams each names its own variable: a key must never reach the wrong one. */
function keyOf({
  apiKeyEnv,
  only,
  simulated,
  source,
  defaults,
  env,
}: KeyQuery): Pick<UpstreamConfig, 'apiKey' | 'apiKeyEnv'> {
  if (apiKeyEnv === null) {
    return only && !simulated
      ? { apiKey: defaults.upstreamApiKey, apiKeyEnv: variableOf('upstreamApiKey') }
      : { apiKey: null, apiKeyEnv };
  }
  const value = env[apiKeyEnv];
  if (value === undefined || value === '') {
    throw new ConfigError(
      `${source}.apiKeyEnv: the variable ${apiKeyEnv} is not set`,
      'Set it to the key of the upstream.',
    );
  }
  return { apiKey: readAt(secret, { source: apiKeyEnv, value }), apiKeyEnv };
}

const modelPattern = text({
  accepts: 'the name of a model, or its beginning and a *',
  placeholder: 'PATTERN',
  pattern: /^(?!.*\*.)\P{Cc}{1,256}$/u,
});

type ModelsQuery = {
  readonly value: unknown;
  readonly source: string;
  readonly upstreams: readonly UpstreamConfig[];
  readonly model: string | null;
};

export function readModels({ value, source, upstreams, model }: ModelsQuery): readonly ModelRule[] {
  if (value === undefined) {
    if (upstreams.length === 1) return [{ pattern: '*', upstream: upstreams[0].name, model }];
    throw new ConfigError(
      `${source} is missing`,
      'With several upstreams it says which models go where: {"*": {"upstream": "NAME"}}.',
    );
  }
  const names = upstreams.map((upstream) => upstream.name);
  const rules = Object.entries(asObject({ value, source, known: null })).map(([pattern, rule]): ModelRule => {
    const at = `${source}.${quoted(pattern)}`;
    readAt(modelPattern, { source, value: pattern });
    const fields = asObject({ value: rule, source: at, known: ['upstream', 'model'] });
    const upstream =
      names.length === 1 && fields.upstream === undefined
        ? names[0]
        : readAt(oneOf(names), { source: `${at}.upstream`, value: fields.upstream });
    return {
      pattern,
      upstream,
      model: fields.model === undefined ? null : readAt(modelName, { source: `${at}.model`, value: fields.model }),
    };
  });
  return rules.sort(
    (left, right) => Number(isPattern(left)) - Number(isPattern(right)) || right.pattern.length - left.pattern.length,
  );
}

function isPattern(rule: ModelRule): boolean {
  return rule.pattern.includes('*');
}
