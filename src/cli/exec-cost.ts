/** What the batches of one program cost, for the end of `nightshift exec`: added up from what the server says of each. */
import { add, nothing, type Amount } from '../money/cost.ts';
import { amountText, readAmount, type AmountJson } from '../money/words.ts';

type Parts = Readonly<Record<'standard' | 'batch' | 'batch_with_cache', AmountJson>>;

export type UsageView = {
  readonly wasted_attempts: number;
  readonly cost: Parts & { readonly price_list: string; readonly spent: readonly (AmountJson & { billing: string })[] };
};

/** Money of two billings is never added up: each has a line of its own. */
export function costLines(usages: readonly UsageView[]): readonly string[] {
  const spent = new Map<string, Amount>();
  for (const { cost } of usages)
    for (const one of cost.spent) spent.set(one.billing, add(spent.get(one.billing), readAmount(one)));
  if (spent.size === 0) return [];
  const sum = (part: keyof Parts): Amount =>
    usages.reduce((amount, { cost }) => add(amount, readAmount(cost[part])), nothing);
  const same = `standard ${amountText(sum('standard'))}, batch ${amountText(sum('batch'))}, with cache ${amountText(sum('batch_with_cache'))}`;
  const missing = [...new Set([...spent.values(), sum('standard')].flatMap(({ unpriced }) => unpriced))];
  return [
    ...[...spent].map(([billing, amount]) => `  spent      ${amountText(amount)} (billing: ${billing})`),
    `  the same   ${same} (list prices of ${usages[0]!.cost.price_list})`,
    ...(missing.length === 0 ? [] : [`  no price   ${missing.join(', ')}`]),
  ];
}
