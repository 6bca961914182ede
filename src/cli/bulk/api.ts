/** The API a run asks: the official one, any server that speaks its protocol, or one of our own for as long as the run works. */
import { createHash } from 'node:crypto';
import { httpBatchApi, type HttpBatchApi } from '../../bulk/api/api.ts';
import type { RunFolder } from '../../bulk/run/folder.ts';
import type { RunSpec } from '../../bulk/run/spec.ts';
import { systemWorld } from '../../bulk/run/world.ts';
import { CommandError, exits } from './exits.ts';
import type { Given } from './read-flags.ts';

export const LOCAL = 'local:';

export type OpenedApi = {
  readonly api: HttpBatchApi;
  /** Where it is now; a local server is somewhere else each time. */
  readonly url: string;
  /** Ends the local server too, after its calls in flight. */
  readonly close: () => Promise<void>;
};

type Target = { readonly spec: Pick<RunSpec, 'api'>; readonly folder: RunFolder };

export async function openApi(given: Given, { spec, folder }: Target): Promise<OpenedApi> {
  const { baseUrl } = spec.api;
  if (isLocal(baseUrl)) {
    const { startLocal } = await import('./local.ts');
    const server = await startLocal(given, { folder, baseUrl });
    const api = httpBatchApi({ baseUrl: server.url, apiKey: server.key, world: systemWorld });
    const close = async (): Promise<void> => {
      await api.close();
      await server.stop();
    };
    return { api, url: server.url, close };
  }
  const api = httpBatchApi({ baseUrl, ...credentials(given), world: systemWorld });
  return { api, url: baseUrl, close: () => api.close() };
}

export function isLocal(baseUrl: string): boolean {
  return baseUrl.startsWith(LOCAL);
}

type Credentials = { readonly apiKey: string | null; readonly authToken: string | null };

export function credentials({ env }: Pick<Given, 'env'>): Credentials {
  const apiKey = env.ANTHROPIC_API_KEY?.trim() || null;
  const authToken = apiKey === null ? env.ANTHROPIC_AUTH_TOKEN?.trim() || null : null;
  if (apiKey === null && authToken === null)
    throw new CommandError(
      exits.authentication,
      'there is no key',
      'Set ANTHROPIC_API_KEY, or take --local to run on a server of your own.',
    );
  return { apiKey, authToken };
}

/** Tells keys apart without being one. */
export function fingerprintOf({ apiKey, authToken }: Credentials): string {
  return createHash('sha256')
    .update(`nightshift ${apiKey ?? authToken ?? ''}`)
    .digest('hex')
    .slice(0, 16);
}
