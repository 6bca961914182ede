/** `nightshift prices`: the price list that costs are reckoned with. */
import type { Command } from 'commander';
import { nearest } from '../config/nearest.ts';
import { StartError } from '../domain/errors.ts';
import { priceList, type ListedBand, type ListedModel } from '../money/price-list.ts';
import { listedModel } from '../money/prices.ts';
import { print, printJson, printTable } from './in-directory.ts';

export function addPricesCommand(program: Command): void {
  program
    .command('prices')
    .argument('[model]', 'only this model')
    .summary('print the price list')
    .description('Prints the list prices of realtime calls in dollars for a million tokens; batches cost half of each.')
    .option('--json', 'print JSON')
    .action(prices);
}

function prices(name: string | undefined, flags: { readonly json?: boolean }): void {
  const models = name === undefined ? priceList.models : [known(name)];
  if (flags.json === true) return printJson({ ...priceList, models });
  printTable([
    ['MODEL', 'FROM', 'PROMPT', 'INPUT', 'WRITE 5M', 'WRITE 1H', 'READ', 'OUTPUT', 'BATCH IN', 'BATCH OUT', 'STATE'],
    ...models.flatMap(rowsOf),
  ]);
  print(`\nDollars for a million tokens, as of ${priceList.asOf}; a batch costs half of every column.`);
}

function known(name: string): ListedModel {
  const found = listedModel(name);
  if (found !== null) return found;
  const meant = nearest(
    name,
    priceList.models.map(({ id }) => id),
  );
  throw new StartError(`there is no price for ${JSON.stringify(name)}`, {
    hint: meant === null ? 'See: nightshift prices' : `Did you mean ${JSON.stringify(meant)}?`,
  });
}

function rowsOf(model: ListedModel): readonly (readonly string[])[] {
  const state = model.endOfLife === null ? model.lifecycle : `${model.lifecycle}, until ${model.endOfLife}`;
  if (model.prices.length === 0) return [[model.id, '', '', 'unknown', '', '', '', '', '', '', state]];
  return model.prices.flatMap(({ from, bands }) =>
    bands.map((band) => [model.id, from ?? '', promptOf(band, bands), ...ratesOf(band), state]),
  );
}

function promptOf(band: ListedBand, bands: readonly ListedBand[]): string {
  if (bands.length === 1) return 'any';
  const thousands = (tokens: number): string => `${tokens / 1_000}k`;
  if (band.promptMax !== null) return `to ${thousands(band.promptMax)}`;
  return `over ${thousands(bands.at(-2)?.promptMax ?? 0)}`;
}

function ratesOf({ input, cacheWrite5m, cacheWrite1h, cacheRead, output }: ListedBand): string[] {
  const { of, in: whole } = priceList.batchShare;
  const all = [input, cacheWrite5m, cacheWrite1h, cacheRead, output, (input * of) / whole, (output * of) / whole];
  return all.map((dollars) => String(dollars));
}
