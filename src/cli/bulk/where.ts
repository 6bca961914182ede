/** The runs of a state folder: found by name, or the newest. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { nearest } from '../../config/nearest.ts';
import type { LedgerReader } from '../../bulk/ledger/ledger.ts';
import { readLedger } from '../../bulk/ledger/reader.ts';
import { readSpec, runFolder, type RunFolder } from '../../bulk/run/folder.ts';
import type { RunSpec } from '../../bulk/run/spec.ts';
import { CommandError, exits } from './exits.ts';
import type { Given } from './read-flags.ts';

export type FoundRun = {
  readonly name: string;
  readonly folder: RunFolder;
  readonly spec: RunSpec;
  readonly changedAtMs: number;
};

export function folderOf({ values }: Pick<Given, 'values'>, name: string): RunFolder {
  return runFolder(resolve(values.state, name));
}

/** Newest first. */
export function findRuns(given: Pick<Given, 'values'>): readonly FoundRun[] {
  const root = resolve(given.values.state);
  if (!existsSync(root)) return [];
  const names = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const runs = names.map(({ name }) => foundAt(given, name)).filter((run) => run !== null);
  return runs.toSorted(
    (left, right) => right.changedAtMs - left.changedAtMs || right.spec.createdAtMs - left.spec.createdAtMs,
  );
}

/** The named run, or the newest where none is named. */
export function findRun(given: Pick<Given, 'values' | 'operands'>, name = given.operands[0]): FoundRun {
  if (name !== undefined) {
    const found = foundAt(given, name);
    if (found !== null) return found;
  }
  const all = findRuns(given);
  if (name === undefined && all[0] !== undefined) return all[0];
  const where = resolve(given.values.state);
  if (all.length === 0)
    throw new CommandError(
      exits.usage,
      `there is no run in ${where}`,
      'Begin one with nightshift run, or name the folder with --state.',
    );
  const names = all.map((run) => run.name);
  const meant = nearest(name!, names);
  throw new CommandError(
    exits.usage,
    `there is no run ${JSON.stringify(name)} in ${where}`,
    meant === null ? `There are: ${names.slice(0, 10).join(', ')}.` : `Did you mean ${JSON.stringify(meant)}?`,
  );
}

function foundAt(given: Pick<Given, 'values'>, name: string): FoundRun | null {
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(name)) return null;
  const folder = folderOf(given, name);
  if (!existsSync(folder.state)) return null;
  const spec = readSpec(folder);
  if (spec === null) return null;
  const wal = `${folder.state}-wal`;
  const changedAtMs = Math.max(
    ...[folder.state, wal].filter((path) => existsSync(path)).map((path) => statSync(path).mtimeMs),
  );
  return { name, folder, spec, changedAtMs };
}

export async function withLedger<T>(
  { folder }: Pick<FoundRun, 'folder'>,
  body: (ledger: LedgerReader) => T | Promise<T>,
): Promise<T> {
  const ledger = readLedger(folder.state);
  try {
    return await body(ledger);
  } finally {
    ledger.close();
  }
}

/** `nightshift resume reviews`, with the state folder where it is not the usual one. */
export function commandFor({ values, said }: Pick<Given, 'values' | 'said'>, words: string): string {
  return `nightshift ${words}${said.has('state') ? ` --state ${JSON.stringify(values.state)}` : ''}`;
}

export function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

export function logPath(folder: RunFolder): string {
  return join(folder.path, 'background.log');
}
