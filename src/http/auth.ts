/** Who is calling: finds the key a request carries and the workspace it belongs to. */
import { createHash } from 'node:crypto';
import { AppError } from '../domain/errors.ts';
import { KEY_CACHE_ENTRIES_MAX, KEY_CACHE_MS } from '../domain/limits.ts';
import type { Directory, Key } from '../ports/directory.ts';
import type { Clock } from '../ports/world.ts';
import { Recent } from './recent.ts';

export type Account = {
  readonly keyId: string;
  readonly workspaceId: string;
  readonly organizationId: string;
};

export class Authenticator {
  readonly #directory: Directory;
  readonly #clock: Clock;
  /** Only keys that exist: an unknown one is asked for each time, so that a new key works at once. */
  readonly #known = new Recent<string, { readonly key: Key; readonly atMs: number }>(KEY_CACHE_ENTRIES_MAX);
  #organizationId: string | null = null;

  constructor(options: { directory: Directory; clock: Clock }) {
    this.#directory = options.directory;
    this.#clock = options.clock;
  }

  /** Throws AppError: 401 without a good key, 403 when the caller names another workspace than the key's. */
  async identify(headers: Headers): Promise<Account> {
    const credential = readCredential(headers);
    const key = await this.#key(createHash('sha256').update(credential.secret).digest('hex'));
    if (key === null) throw new AppError('unauthenticated', refusals[credential.kind]);
    const wanted = headers.get('anthropic-workspace-id');
    if (wanted !== null && wanted !== key.workspaceId) {
      throw new AppError('forbidden', 'anthropic-workspace-id: does not match the workspace of this API key');
    }
    this.#organizationId ??= await this.#directory.organizationId();
    return { keyId: key.id, workspaceId: key.workspaceId, organizationId: this.#organizationId };
  }

  async #key(secretHash: string): Promise<Key | null> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(secretHash);
    if (known !== undefined && nowMs - known.atMs < KEY_CACHE_MS) return known.key;
    const key = await this.#directory.key(secretHash);
    if (key !== null) this.#known.set(secretHash, { key, atMs: nowMs });
    return key;
  }
}

type Credential = { readonly kind: 'key' | 'bearer'; readonly secret: string };

const refusals: Readonly<Record<Credential['kind'], string>> = {
  key: 'API key is invalid.',
  bearer: 'Invalid bearer token',
};

/** Old SDKs and curl send `x-api-key`, new SDKs send the key as a bearer token; when both come, `x-api-key` wins. */
function readCredential(headers: Headers): Credential {
  const apiKey = headers.get('x-api-key')?.trim();
  if (apiKey) return { kind: 'key', secret: apiKey };
  const bearer = /^bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '');
  if (bearer?.[1] !== undefined) return { kind: 'bearer', secret: bearer[1] };
  throw new AppError('unauthenticated', 'x-api-key header is required');
}
