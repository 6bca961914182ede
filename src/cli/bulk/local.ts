/** The embedded server of `--local`: as `nightshift serve` starts it, but with its data under the run, on a free port of this machine, and quiet. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startServer } from '../../compose.ts';
import { readConfig, systemSources, type Config } from '../../config.ts';
import { StartError } from '../../domain/errors.ts';
import type { RunFolder } from '../../bulk/run/folder.ts';
import { versionOf } from '../version.ts';
import { exits } from './exits.ts';
import type { Given } from './read-flags.ts';
import { say } from './talk.ts';

export type LocalServer = { readonly url: string; readonly key: string; stop(): Promise<void> };

/** What `--local` was told when the run began; a resume needs none of it again, and may change it. */
type Told = { readonly upstreamModel: string | null; readonly concurrency: number | null };

export async function startLocal(
  given: Given,
  { folder, baseUrl }: { folder: RunFolder; baseUrl: string },
): Promise<LocalServer> {
  const config = configOf(given, { folder, upstream: baseUrl.slice('local:'.length) });
  const server = await startServer({ config, version: versionOf(), onFatal: endAtOnce });
  if (config.upstreams.some(({ protocol }) => protocol === 'simulator'))
    say(
      given,
      'local   ANSWERS ARE SIMULATED: no model is asked; name one with --upstream anthropic:URL or openai:URL/v1',
    );
  else say(given, `local   ${server.upstreams.join(', ')}`);
  const key =
    config.apiKey ??
    server.key.value ??
    (server.key.path === null ? null : (await readFile(server.key.path, 'utf8')).trim());
  if (key === null) throw new StartError('the local server has no key', { hint: 'Set NIGHTSHIFT_API_KEY.' });
  return { url: server.url, key, stop: () => server.stop('the run has ended or was left') };
}

function configOf({ values, said }: Given, { folder, upstream }: { folder: RunFolder; upstream: string }): Config {
  const path = join(folder.path, 'local.json');
  const kept = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Told) : null;
  const told: Told = {
    upstreamModel: said.has('upstreamModel') ? values.upstreamModel : (kept?.upstreamModel ?? null),
    concurrency: said.has('concurrency') ? values.concurrency : (kept?.concurrency ?? null),
  };
  writeFileSync(path, `${JSON.stringify(told)}\n`, { mode: 0o600 });
  const argv = ['--data', join(folder.path, 'server'), '--port', '0', '--host', '127.0.0.1'];
  // Without an upstream the configuration file and the variables of the server say where the models are.
  if (upstream !== 'configured') argv.push('--upstream', upstream);
  if (told.upstreamModel !== null) argv.push('--model', told.upstreamModel);
  if (told.concurrency !== null) argv.push('--concurrency', String(told.concurrency));
  if (values.config !== null) argv.push('--config', values.config);
  return { ...readConfig(systemSources(argv)), publicUrl: null, logLevel: 'error', drainMs: 0 };
}

/** `local:` and the upstream: what shows that a run is still for the same models. */
export function localBaseUrl({ values, env }: Given): string {
  if (values.upstream !== null) return `local:${values.upstream}`;
  const argv = values.config === null ? [] : ['--config', values.config];
  const { upstreamMissing } = readConfig({ ...systemSources(argv), env });
  return upstreamMissing ? 'local:simulator' : 'local:configured';
}

function endAtOnce(error: unknown): void {
  process.stderr.write(`error: the local server failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(exits.failure);
}
