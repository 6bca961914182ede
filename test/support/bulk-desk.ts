/** A desk to try the bulk client at: a folder with rows, an API that fails as it is told, and the command. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fakeBatches, type Behaviour, type FakeBatches } from './fake-batches.ts';
import { nightshift, type Ended } from './nightshift.ts';
import { scratchFolder } from './scratch-folder.ts';

export const ROWS = 12;
export const template = 'Classify: {{text}}';
export const model = ['-m', 'claude-haiku-4-5', '--max-tokens', '64'];

export type Desk = {
  readonly fake: FakeBatches;
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly go: (...argv: string[]) => Promise<Ended>;
};

/** A folder with rows, and an API. */
export async function desk(t: TestContext, behaviour: Partial<Behaviour> = {}): Promise<Desk> {
  const [fake, cwd] = await Promise.all([fakeBatches(t, behaviour), scratchFolder(t)]);
  writeRows(cwd, 'rows.csv');
  const env = { ANTHROPIC_API_KEY: fake.key, ANTHROPIC_BASE_URL: fake.url };
  return { fake, cwd, env, go: (...argv) => nightshift(argv, { cwd, env }) };
}

export function writeRows(cwd: string, name: string, rows = ROWS): void {
  const lines = Array.from({ length: rows }, (_unused, index) => `r${index},text ${index}\n`);
  writeFileSync(path.join(cwd, name), `id,text\n${lines.join('')}`);
}

export const run = ['run', 'rows.csv', '-t', template, ...model];

// oxlint-disable-next-line typescript/no-explicit-any -- what a test looks into
export function lines(text: string): any[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
