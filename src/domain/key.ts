/** What a key may do, and whether it still may. */
import type { Micros } from './batch.ts';

/** In the order in which they are told. */
export const scopes = ['batches', 'messages', 'results:read', 'admin'] as const;

export type Scope = (typeof scopes)[number];

/** What a route asks of a key; `any` where every good key will do. */
export type NeededScope = Scope | 'any';

/** Whoever may make and delete batches may also read them. */
export function maySatisfy(held: readonly Scope[], needed: NeededScope): boolean {
  return needed === 'any' || held.includes(needed) || (needed === 'results:read' && held.includes('batches'));
}

export function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text);
}

/** Each once, in the order above, however they were given. */
export function inOrder(held: readonly Scope[]): readonly Scope[] {
  return scopes.filter((scope) => held.includes(scope));
}

export type KeyState = 'active' | 'expired' | 'revoked';

/** A key that was revoked stays revoked, also when its time is over. */
export function keyState(
  key: { readonly revokedAt: Micros | null; readonly expiresAt: Micros | null },
  now: Micros,
): KeyState {
  if (key.revokedAt !== null) return 'revoked';
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active';
}

const HINT_TAIL = 4;
const HINT_HEAD_MAX = 14;
/** A secret must be this long before any of its characters are shown. */
const HINTED_LENGTH_MIN = 20;

/** Enough of a secret to tell keys apart, as the Admin API's `partial_key_hint`; of a short one nothing. */
export function hintOf(secret: string): string {
  if (secret.length < HINTED_LENGTH_MIN) return '…';
  const [head = ''] = /^sk-[a-z]+-/.exec(secret.slice(0, HINT_HEAD_MAX)) ?? [];
  return `${head}…${secret.slice(-HINT_TAIL)}`;
}
