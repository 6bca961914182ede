/** Where traces go: the endpoint as OpenTelemetry names it, and the headers that open it. */
import { Refused, type Reader } from './values.ts';

export type Otlp = {
  /** Whole, with its path. */
  readonly url: string;
  /** Secrets, often. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  /** Of the attempts that succeeded, from 0 to 1. */
  readonly attemptsRatio: number;
};

/** The standard variable whose value is used as it is; every other endpoint gets the path of traces behind it. */
export const TRACES_ENDPOINT = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';

const TRACES_PATH = '/v1/traces';

/** `name=value,name=value`, the values percent-encoded where they must be. What is refused is not quoted. */
export const headerList: Reader<Readonly<Record<string, string>>> = {
  accepts: 'headers like authorization=Bearer%20KEY with commas between them',
  placeholder: 'HEADERS',
  read(value) {
    const pairs = typeof value === 'string' ? value.split(',').filter((pair) => pair.trim() !== '') : [];
    const entries = pairs.map((pair) => /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*([\u0020-\u007E]+?)\s*$/.exec(pair));
    if (entries.includes(null)) throw new Refused('the headers (not shown) are not accepted');
    return Object.fromEntries(entries.map((entry) => [entry![1].toLowerCase(), decoded(entry![2])]));
  },
  show: () => '…',
};

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

export function otlpOf(given: {
  readonly endpoint: string | null;
  /** The flag, key or variable that brought it. */
  readonly source: string | undefined;
  readonly settings: Omit<Otlp, 'url'>;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Otlp | null {
  const { endpoint, source, settings, env } = given;
  if (endpoint === null || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null;
  const whole = source === TRACES_ENDPOINT || endpoint.endsWith(TRACES_PATH);
  return { ...settings, url: whole ? endpoint : `${endpoint}${TRACES_PATH}` };
}

export function otlpWarnings(otlp: Otlp | null, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (otlp === null || protocol !== 'grpc') return [];
  return [`traces are sent by http/json to ${otlp.url}, not by grpc: name the HTTP port of the collector, mostly 4318`];
}
