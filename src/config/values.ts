/** Readers of single values, the same for flags, variables and the configuration file; each knows how to say what it accepts. */

export type Reader<T> = {
  /** Completes "expected …". */
  readonly accepts: string;
  /** The name of a value in the help. */
  readonly placeholder: string;
  /** Flags and variables bring text, the file any JSON. Throws Refused. */
  read(value: unknown): T;
  show(value: T): string;
  /** What the flag means without a value; absent where it needs one. */
  readonly bare?: string;
};

/** A value that is not accepted; whoever asked adds where it came from. `because` never quotes a secret. */
export class Refused extends Error {
  readonly because: string;
  readonly hint: string | null;

  constructor(because: string, hint: string | null = null) {
    super(because);
    this.name = 'Refused';
    this.because = because;
    this.hint = hint;
  }
}

export function quoted(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function notAccepted(value: unknown): Refused {
  return new Refused(`${quoted(value)} is not accepted`);
}

export function integer(range: { min: number; max: number }): Reader<number> {
  return {
    accepts: `a whole number from ${range.min} to ${range.max}`,
    placeholder: 'NUMBER',
    read(value) {
      const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number) || number < range.min || number > range.max)
        throw notAccepted(value);
      return number;
    },
    show: String,
  };
}

export function number(range: { min: number; max: number }): Reader<number> {
  return {
    accepts: `a number from ${range.min} to ${range.max}`,
    placeholder: 'NUMBER',
    read(value) {
      const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !(number >= range.min && number <= range.max)) throw notAccepted(value);
      return number;
    },
    show: String,
  };
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION_MS_MAX = 3_660 * unitsMs.d;

export function duration(range: { minMs: number }): Reader<number> {
  return {
    accepts: `a duration like 500ms, 10s, 5m, 24h or 29d${range.minMs > 0 ? `, at least ${showDuration(range.minMs)}` : ''}`,
    placeholder: 'DURATION',
    read(value) {
      const [, count, unit] = (typeof value === 'string' && /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value)) || [];
      const ms = value === '0' || value === 0 ? 0 : Math.round(Number(count) * (unitsMs[unit] ?? NaN));
      if (!(ms >= range.minMs && ms <= DURATION_MS_MAX)) throw notAccepted(value);
      return ms;
    },
    show: showDuration,
  };
}

export function showDuration(ms: number): string {
  const [unit, size] = Object.entries(unitsMs).findLast(([, unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? ['ms', 1];
  // 24h reads better than 1d, as 29d does than 696h.
  return ms === unitsMs.d ? '24h' : `${ms / size}${unit}`;
}

export function oneOf<const T extends string>(choices: readonly T[]): Reader<T> {
  return {
    accepts: `one of ${choices.join(', ')}`,
    placeholder: choices.join('|'),
    read(value) {
      const found = choices.find((choice) => choice === value);
      if (found === undefined) throw notAccepted(value);
      return found;
    },
    show: String,
  };
}

export const onOff: Reader<boolean> = {
  accepts: 'on or off',
  placeholder: 'on|off',
  bare: 'on',
  read(value) {
    if (value === true || value === 'on' || value === 'true') return true;
    if (value === false || value === 'off' || value === 'false') return false;
    throw notAccepted(value);
  },
  show: (value) => (value ? 'on' : 'off'),
};

export function text(options: { accepts: string; placeholder: string; pattern: RegExp }): Reader<string> {
  return {
    accepts: options.accepts,
    placeholder: options.placeholder,
    read(value) {
      if (typeof value !== 'string' || !options.pattern.test(value)) throw notAccepted(value);
      return value;
    },
    show: String,
  };
}

/** Letters without spaces and control characters: what can stand in a header. */
export const secret: Reader<string> = {
  accepts: 'a key of printable ASCII characters without spaces',
  placeholder: 'KEY',
  read(value) {
    if (typeof value !== 'string' || !/^[\u0021-\u007E]{1,1024}$/.test(value))
      throw new Refused('the key (not shown) is not accepted');
    return value;
  },
  show: () => '…',
};

/** An http or https URL without a slash at its end, and without a password, a query or a fragment. */
export const url: Reader<string> = {
  accepts: 'a URL like http://127.0.0.1:8000',
  placeholder: 'URL',
  read(value) {
    const parsed = typeof value === 'string' ? URL.parse(value) : null;
    if (parsed !== null && (parsed.username !== '' || parsed.password !== '')) {
      throw new Refused(
        'a URL must not hold a user name or a password',
        'Keys come from the environment: NIGHTSHIFT_UPSTREAM_API_KEY.',
      );
    }
    const usable = parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.search === '' && parsed.hash === '';
    if (!usable) throw notAccepted(value);
    return parsed.href.replace(/\/+$/, '');
  },
  show: String,
};

/** `https://app.example`, several with commas between them or as a list in the file, `*`, or none. */
export function origins(countMax: number): Reader<readonly string[]> {
  return {
    accepts: 'origins like https://app.example with commas between them, * for all, or none',
    placeholder: 'ORIGIN,…',
    read(value) {
      if (value === 'none') return [];
      const words = typeof value === 'string' ? value.split(',').map((word) => word.trim()) : value;
      if (!Array.isArray(words) || words.length === 0 || words.length > countMax) throw notAccepted(value);
      return words.map((word: unknown) => {
        const parsed = typeof word === 'string' && word !== '*' ? URL.parse(word) : null;
        const isOrigin = parsed !== null && parsed.origin !== 'null' && parsed.href === `${parsed.origin}/`;
        if (word !== '*' && !isOrigin) throw notAccepted(word);
        return parsed?.origin ?? '*';
      });
    },
    show: (value) => (value.length === 0 ? 'none' : value.join(',')),
  };
}

/** How many proxies are believed; `on` is one. */
export function proxies(countMax: number): Reader<number> {
  const count = integer({ min: 0, max: countMax });
  return {
    accepts: `on for one proxy, off, or a number up to ${countMax}`,
    placeholder: 'on|off|NUMBER',
    bare: 'on',
    read(value) {
      if (value === true || value === 'on' || value === 'true') return 1;
      if (value === false || value === 'off' || value === 'false') return 0;
      return count.read(value);
    },
    show: (value) => (value === 0 ? 'off' : String(value)),
  };
}

export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return { ...reader, show: (value) => (value === null ? 'none' : reader.show(value)) };
}
