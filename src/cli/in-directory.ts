/** What the commands for workspaces, keys and costs share: the directory of a data folder, names on the command line, and tables. */
import type { Command } from 'commander';
import { nearest } from '../config/nearest.ts';
import { readDataFolder, systemSources } from '../config.ts';
import { StartError } from '../domain/errors.ts';
import { openDirectory } from '../open-directory.ts';
import type { Directory, Workspace } from '../ports/directory.ts';
import type { Usages } from '../ports/usage.ts';

export type CommonFlags = { readonly data?: string; readonly config?: string; readonly json?: boolean };

/** The folder is found as `serve` finds it: flag, variable, file, default. */
export function addCommonFlags(command: Command): Command {
  return command
    .option('--data <path>', 'the data folder of the server, as for nightshift serve')
    .option('--config <path>', 'the configuration file that names it')
    .option('--json', 'print JSON');
}

export async function inDirectory(
  { data, config }: CommonFlags,
  body: (directory: Directory, usage: Usages) => Promise<void>,
): Promise<void> {
  const argv = [...(data === undefined ? [] : ['--data', data]), ...(config === undefined ? [] : ['--config', config])];
  const { directory, usage, close } = await openDirectory(readDataFolder(systemSources(argv)));
  try {
    await body(directory, usage);
  } finally {
    await close();
  }
}

/** By its id or its name; a name means the workspace that is not archived. */
export async function findWorkspace(directory: Directory, idOrName: string): Promise<Workspace> {
  const all = await directory.workspaces();
  const active = all.filter(({ archivedAt }) => archivedAt === null);
  const found = all.find(({ id }) => id === idOrName) ?? active.find(({ name }) => name === idOrName);
  if (found !== undefined) return found;
  const names = active.map(({ name }) => name);
  const meant = nearest(idOrName, names) ?? names.find((name) => name.toLowerCase() === idOrName.toLowerCase());
  throw new StartError(`there is no workspace ${JSON.stringify(idOrName)}`, {
    hint: meant === undefined ? 'See: nightshift workspaces list' : `Did you mean ${JSON.stringify(meant)}?`,
  });
}

/** What a program reads goes to standard output, alone. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What a person reads beside it. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** The first row holds the headings. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

/** Microseconds as people and programs read them; to the second for people. */
export function timeOf(micros: number): string {
  return `${new Date(micros / 1_000).toISOString().slice(0, 19)}Z`;
}

export function jsonTime(micros: number | null): string | null {
  return micros === null ? null : timeOf(micros);
}
