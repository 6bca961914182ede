/** What an upstream of one's own costs, as the configuration file says it: dollars for a million tokens. */
import { asObject, ConfigError, readAt } from './read.ts';
import { quoted, Refused, type Reader } from './values.ts';

export type OwnPrices = {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
};

const DOLLARS_MAX = 100_000;
/** A millionth of a dollar for a million tokens is the smallest money that is counted. */
const PARTS = 1_000_000;

const price: Reader<number> = {
  accepts: `dollars for a million tokens, from 0 to ${DOLLARS_MAX}, at most six digits behind the point`,
  placeholder: 'DOLLARS',
  read(value) {
    const parts = typeof value === 'number' ? value * PARTS : NaN;
    const isWhole = Math.abs(parts - Math.round(parts)) < 1e-3;
    if (!(parts >= 0 && parts <= DOLLARS_MAX * PARTS && isWhole)) throw new Refused(`${quoted(value)} is not accepted`);
    return Math.round(parts) / PARTS;
  },
  show: String,
};

/** Null without `prices`. What is read from or written to a cache costs as any input, unless the file says otherwise. */
export function readOwnPrices(given: { value: unknown; source: string; billing: string }): OwnPrices | null {
  const { value, source, billing } = given;
  if (value === undefined) return null;
  if (billing !== 'own') {
    throw new ConfigError(
      `${source}: an upstream whose billing is ${billing} has no prices of its own`,
      'Leave them out, or set its billing to "own".',
    );
  }
  const fields = asObject({ value, source, known: ['input', 'output', 'cacheRead', 'cacheWrite'] });
  const at = (key: keyof OwnPrices): number =>
    readAt(price, { source: `${source}.${key}`, value: fields[key] ?? null });
  const input = at('input');
  return {
    input,
    output: at('output'),
    cacheRead: fields.cacheRead === undefined ? input : at('cacheRead'),
    cacheWrite: fields.cacheWrite === undefined ? input : at('cacheWrite'),
  };
}
