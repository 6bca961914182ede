/** Money in words and figures: exact decimals for programs, rounded dollars for people, and what is not known said in both. */
import type { Amount } from './cost.ts';
import { PICODOLLARS_PER_DOLLAR } from './prices.ts';

const PLACES = 12;

/** All there is behind the point, and no zeros more: `4.5`. */
export function decimal(picodollars: bigint, { cents = false }: { cents?: boolean } = {}): string {
  const value = cents ? picodollars * 100n : picodollars;
  const sign = value < 0n ? '-' : '';
  const positive = value < 0n ? -value : value;
  const behind = (positive % PICODOLLARS_PER_DOLLAR).toString().padStart(PLACES, '0').replace(/0+$/, '');
  return `${sign}${positive / PICODOLLARS_PER_DOLLAR}${behind === '' ? '' : `.${behind}`}`;
}

/** Cents, or four places where less than a dollar is told: `$4.50`, `$0.0123`. */
export function dollars(picodollars: bigint): string {
  if (picodollars === 0n) return '$0';
  const places = picodollars < PICODOLLARS_PER_DOLLAR ? 4 : 2;
  const unit = 10n ** BigInt(PLACES - places);
  const rounded = (picodollars + unit / 2n) / unit;
  if (rounded === 0n) return `under $0.${'0'.repeat(places - 1)}1`;
  const text = rounded.toString().padStart(places + 1, '0');
  const whole = BigInt(text.slice(0, -places)).toLocaleString('en-US');
  return `$${whole}.${text.slice(-places).replace(/(\d\d)0+$/, '$1')}`;
}

/** A known amount, a lower bound, or that it is unknown. */
export function amountText(amount: Amount): string {
  const { unpriced } = amount;
  if (!amount.known && unpriced.length > 0) return 'unknown';
  return `${isPartial(amount) ? 'at least ' : ''}${dollars(amount.picodollars)}`;
}

export function isPartial({ unpriced, atLeast }: Amount): boolean {
  return unpriced.length > 0 || atLeast;
}

/** As programs read it: null where nothing is known. */
export type AmountJson = {
  readonly amount: string | null;
  readonly at_least: boolean;
  readonly unpriced: readonly string[];
};

export function amountJson(amount: Amount): AmountJson {
  const isUnknown = !amount.known && amount.unpriced.length > 0;
  return {
    amount: isUnknown ? null : decimal(amount.picodollars),
    at_least: !isUnknown && isPartial(amount),
    unpriced: amount.unpriced,
  };
}

/** The way back, exactly. */
export function readAmount({ amount, at_least: atLeast, unpriced }: AmountJson): Amount {
  const [whole = '0', behind = ''] = (amount ?? '0').split('.');
  const picodollars = BigInt(whole) * PICODOLLARS_PER_DOLLAR + BigInt(behind.padEnd(PLACES, '0'));
  return { picodollars, known: amount !== null, unpriced, atLeast };
}
