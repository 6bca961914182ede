/** Who is calling: finds the key a request carries, the workspace it belongs to, and what it may do. */
import { createHash } from 'node:crypto';
import { AppError } from '../domain/errors.ts';
import { keyState, maySatisfy, type NeededScope, type Scope } from '../domain/key.ts';
import { KEY_CACHE_ENTRIES_MAX, KEY_CACHE_MS, KEY_REFUSED_QUIET_MS } from '../domain/limits.ts';
import type { Directory, Key } from '../ports/directory.ts';
import type { World } from '../ports/world.ts';
import { Recent } from './recent.ts';

export type Account = {
  readonly keyId: string;
  readonly workspaceId: string;
  readonly organizationId: string;
  readonly scopes: readonly Scope[];
};

export class Authenticator {
  readonly #directory: Directory;
  readonly #world: World;
  /** Only keys that exist: an unknown one is asked for each time, so that a new key works at once. */
  readonly #known = new Recent<string, { readonly key: Key; readonly atMs: number }>(KEY_CACHE_ENTRIES_MAX);
  /** When the log was last told of a refused key, by its id. */
  readonly #refused = new Recent<string, number>(KEY_CACHE_ENTRIES_MAX);
  #organizationId: string | null = null;

  constructor(options: { readonly directory: Directory; readonly world: World }) {
    this.#directory = options.directory;
    this.#world = options.world;
  }

  /** Throws AppError: 401 without a good key, 403 when the caller names another workspace than the key's. */
  async identify(headers: Headers, requestId: string): Promise<Account> {
    const credential = readCredential(headers);
    const key = await this.#key(createHash('sha256').update(credential.secret).digest('hex'));
    if (key === null || !this.#isGood(key, requestId)) throw new AppError('unauthenticated', refusals[credential.kind]);
    const { id: keyId, workspaceId, scopes } = key;
    const wanted = headers.get('anthropic-workspace-id');
    if (wanted !== null && wanted !== workspaceId) {
      throw new AppError('forbidden', 'anthropic-workspace-id: does not match the workspace of this API key');
    }
    this.#organizationId ??= await this.#directory.organizationId();
    return { keyId, workspaceId, organizationId: this.#organizationId, scopes };
  }

  async #key(secretHash: string): Promise<Key | null> {
    const nowMs = this.#world.clock.monotonicMs();
    const known = this.#known.get(secretHash);
    if (known !== undefined && nowMs - known.atMs < KEY_CACHE_MS) return known.key;
    const key = await this.#directory.key(secretHash);
    if (key !== null) this.#known.set(secretHash, { key, atMs: nowMs });
    return key;
  }

  /** The caller hears the same of a key that never was; the operator hears why, but not with every call of a loop. */
  #isGood(key: Key, requestId: string): boolean {
    const { clock, emit } = this.#world;
    const state = keyState(key, clock.wallMs() * 1_000);
    if (state === 'active') return true;
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#refused.get(key.id) ?? -Infinity) >= KEY_REFUSED_QUIET_MS) {
      this.#refused.set(key.id, nowMs);
      emit({ kind: 'key_refused', reason: state, keyId: key.id, workspaceId: key.workspaceId, requestId });
    }
    return false;
  }
}

/** Throws AppError 403 that names what the key lacks: its owner must ask for another. */
export function requireScope(account: Account, needed: NeededScope): void {
  if (maySatisfy(account.scopes, needed)) return;
  throw new AppError(
    'forbidden',
    `Your API key does not have permission to use the specified resource: it needs the scope "${needed}".`,
  );
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
