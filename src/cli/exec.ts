/** `nightshift exec -- COMMAND`: runs a program written for the Anthropic API against a server that lives as long as the program. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { startServer, type StartedServer } from '../compose.ts';
import { readConfig, systemSources, type Config } from '../config.ts';
import { ConfigError } from '../config/read.ts';
import { StartError } from '../domain/errors.ts';
import { EXIT_FAILURE, explain } from './failure.ts';
import { summaryOf } from './exec-summary.ts';

/** As shells tell it. */
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_EXECUTABLE = 126;

export async function exec(argv: readonly string[], version: string): Promise<void> {
  const { flags, command } = splitAtDashes(argv);
  const config = configOf(flags);
  for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`);
  const server = await startServer({ config, version, onFatal: endAtOnce });
  const key = config.apiKey ?? server.key.value ?? (await keyIn(server));
  const startedAtMs = Date.now();
  const code = await run(command, { url: server.url, key });
  // The program may have revoked its key; its own end counts, not ours.
  const summary = await summaryOf({ url: server.url, key, sinceMs: startedAtMs, data: config.data }).catch(
    (error: unknown) => `  batches    unknown: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.stderr.write(`\nnightshift: ${command.join(' ')} ended with ${code}\n${summary}`);
  await server.stop('the program has ended');
  process.exitCode = code;
}

export function splitAtDashes(argv: readonly string[]): {
  readonly flags: readonly string[];
  readonly command: readonly [string, ...string[]];
} {
  const at = argv.indexOf('--');
  const [program, ...rest] = at < 0 ? [] : argv.slice(at + 1);
  if (program === undefined) {
    const example = 'Put the program behind two dashes: nightshift exec -- python classify.py';
    throw new ConfigError('there is no program to run', example);
  }
  return { flags: argv.slice(0, at), command: [program, ...rest] };
}

/** As `serve` reads it, but on a free port of this machine alone, and quiet: the terminal is the program's. */
function configOf(flags: readonly string[]): Config {
  const sources = systemSources(flags);
  const config = readConfig(sources);
  const given = (flag: string, variable: string): boolean =>
    sources.env[variable] !== undefined || flags.some((word) => word === flag || word.startsWith(`${flag}=`));
  return {
    ...config,
    port: given('--port', 'NIGHTSHIFT_PORT') ? config.port : 0,
    host: given('--host', 'NIGHTSHIFT_HOST') ? config.host : '127.0.0.1',
    publicUrl: null,
    logLevel: given('--log-level', 'NIGHTSHIFT_LOG_LEVEL') ? config.logLevel : 'error',
  };
}

async function keyIn({ key }: StartedServer): Promise<string> {
  if (key.path === null) throw new StartError('the server has no key', { hint: 'Set NIGHTSHIFT_API_KEY.' });
  return (await readFile(key.path, 'utf8')).trim();
}

type Target = { readonly url: string; readonly key: string };

/** Its exit code, as a shell would tell it. */
async function run([program, ...rest]: readonly [string, ...string[]], { url, key }: Target): Promise<number> {
  const env = { ...process.env, ...pastProxies(url), ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: key };
  // SDKs refuse, or warn of, two kinds of keys at once.
  delete (env as Record<string, string | undefined>).ANTHROPIC_AUTH_TOKEN;
  const child = spawn(program, rest, { stdio: 'inherit', env });
  const stopPassingOn = passSignalsTo(child);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    process.stderr.write(`error: ${program} cannot be run: ${(error as Error).message}\n`);
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
  } finally {
    stopPassingOn();
  }
}

/** A proxy of the user's is for the world outside; SDKs would ask it for this server too. */
function pastProxies(url: string): Readonly<Record<string, string>> {
  const { no_proxy: lower, NO_PROXY: upper } = process.env;
  const hosts = [lower, upper, new URL(url).hostname.replaceAll(/[[\]]/g, '')].filter(Boolean).join(',');
  return { no_proxy: hosts, NO_PROXY: hosts };
}

/** A terminal sends SIGINT to both of us; the program decides what it means, and we end after it. */
function passSignalsTo(child: ChildProcess): () => void {
  const ignore = () => undefined;
  const terminate = () => void child.kill('SIGTERM');
  const hangUp = () => void child.kill('SIGHUP');
  process.on('SIGINT', ignore);
  process.on('SIGTERM', terminate);
  process.on('SIGHUP', hangUp);
  return () => void process.off('SIGINT', ignore).off('SIGTERM', terminate).off('SIGHUP', hangUp);
}

function endAtOnce(error: unknown): void {
  process.stderr.write(explain(error));
  process.exit(EXIT_FAILURE);
}
