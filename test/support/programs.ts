/** Runs a program of some language against a server, as its user would: in an empty folder, with the SDKs' usual variables. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { outsideEnvironment, type Server } from './server.ts';
import { scratchFolder } from './scratch-folder.ts';

export type Program = {
  readonly command: string;
  readonly list: readonly string[];
  readonly server: Server;
  /** An empty one where absent. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
};

const PROGRAM_MS_MAX = 60_000;

/** Its standard output; a failing program fails the test with all it said. */
export async function runProgram(test: TestContext, { command, list, server, folder, env }: Program): Promise<string> {
  const usual = { ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: server.key, PYTHONDONTWRITEBYTECODE: '1', ...env };
  const child = spawn(command, list, {
    cwd: folder ?? (await scratchFolder(test)),
    env: { ...outsideEnvironment(), ...usual },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PROGRAM_MS_MAX,
  });
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}:\n${stdout}\n${stderr}`);
  return stdout;
}
