/** What a start says to the person who made it. */
import type { Config } from '../config.ts';
import { lineFor, type Found } from './discover.ts';
import { curlSnippet, pythonSnippet, typescriptSnippet, type KeySource } from './snippets.ts';

export type Started = {
  readonly url: string;
  readonly key: {
    readonly value: string | null;
    readonly path: string | null;
    readonly firstStart: boolean;
    readonly revoked?: boolean;
  };
  readonly upstreams: readonly string[];
};

type BannerContext = { readonly server: Started; readonly config: Config; readonly found: readonly Found[] };

const DEFAULT_MODEL = 'claude-haiku-4-5';

/** For a terminal: everything a newcomer needs. */
export function banner({ server, config, found }: BannerContext, color: boolean): string {
  const bold = (text: string): string => (color ? `\u001B[1m${text}\u001B[0m` : text);
  const loud = (text: string): string => (color ? `\u001B[1;33m${text}\u001B[0m` : text);
  const context = { url: reachableUrl(server.url, config), key: keySource(server), model: modelOf(config) };
  const sections = [
    `${bold('Nightshift')} is ready at ${bold(context.url)}`,
    `  key       ${keyLine(server)}\n  upstream  ${server.upstreams.join(', ')}\n  data      ${config.data}`,
    ...simulatedLines({ config, found }).map(loud),
    // Not indented: Python would refuse what is pasted.
    `${bold('A first batch with curl')}\n\n${curlSnippet(context)}`,
    `${bold('… with Python')} (pip install anthropic)\n\n${pythonSnippet(context)}`,
    `${bold('… with TypeScript')} (npm install @anthropic-ai/sdk; save it as first.mts)\n\n${typescriptSnippet(context)}`,
  ];
  return `\n${sections.join('\n\n')}\n\n`;
}

function simulatedLines({ config, found }: Pick<BannerContext, 'config' | 'found'>): string[] {
  if (!config.upstreams.some((upstream) => upstream.protocol === 'simulator')) return [];
  const servers = found.map(lineFor);
  const remedy = config.upstreamMissing ? ' No upstream was given; name one with --upstream anthropic:URL.' : '';
  return [`ANSWERS ARE SIMULATED: the built-in simulator makes them up, no model is asked.${remedy}`, ...servers];
}

function keyLine({ key }: Started): string {
  if (key.revoked === true) return 'the first one was revoked; make another: nightshift keys create';
  if (key.value !== null) return `${key.value}${key.path === null ? '' : ` (kept in ${key.path})`}`;
  return key.path === null ? 'the one in NIGHTSHIFT_API_KEY' : `the one in ${key.path}`;
}

function keySource({ key }: Started): KeySource {
  if (key.value !== null) return { kind: 'value', value: key.value };
  return key.path === null ? { kind: 'variable', name: 'NIGHTSHIFT_API_KEY' } : { kind: 'file', path: key.path };
}

/** An address that means "all of them" is none to call. */
export function reachableUrl(url: string, config: Pick<Config, 'publicUrl'>): string {
  return config.publicUrl ?? url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

/** A name that this configuration sends somewhere. */
function modelOf(config: Config): string {
  const exact = config.models.find(({ pattern }) => !pattern.includes('*'));
  return exact?.pattern ?? config.models[0].model ?? DEFAULT_MODEL;
}
