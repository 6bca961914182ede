/** `nightshift errors`: what went wrong, grouped by message, each group with the command that mends it. */
import { errorReports } from '../../bulk/results/errors.ts';
import { exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { number, painter, print, printJson } from './talk.ts';
import { commandFor, findRun, withLedger } from './where.ts';

export async function errors(given: Given): Promise<Exit> {
  const run = findRun(given);
  const reports = await withLedger(run, (ledger) => errorReports(ledger, run.name));
  const paint = painter(given, process.stdout);
  for (const { state, type, message, rows, sampleKey, command } of reports) {
    const remedy = commandFor(given, command.replace(/^nightshift /, ''));
    if (given.values.json) printJson({ state, type, message, rows, sample_key: sampleKey, command: remedy });
    else
      print(
        `${paint(`${number(rows)}×`, 'bold')} ${state}  ${type}: ${message}  (such as ${sampleKey})\n   → ${remedy}`,
      );
  }
  if (reports.length === 0 && !given.values.json) print('Nothing went wrong.');
  return exits.done;
}
