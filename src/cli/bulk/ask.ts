/** Asks a person before money is spent; where there is none, money needs a flag. */
import { createInterface } from 'node:readline/promises';
import { CommandError, exits } from './exits.ts';
import type { Given } from './read-flags.ts';

export type Price = {
  readonly expectedDollars: number | null;
  readonly worstDollars: number | null;
  readonly free: boolean;
};

/** False where the person said no. */
export async function maySpend({ values, operands }: Given, { expectedDollars, free }: Price): Promise<boolean> {
  if (free || values.yes) return true;
  const atTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true && operands[0] !== '-';
  if (!atTerminal) {
    if (values.maxCost !== null) return true;
    throw new CommandError(
      exits.usage,
      'this would spend money, and nobody is at a terminal to be asked',
      'Add --yes, or --max-cost with the dollars it may spend.',
    );
  }
  if (expectedDollars !== null && expectedDollars < values.confirmAbove) return true;
  return await yes('Submit? [y/N] ');
}

export async function yes(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}
