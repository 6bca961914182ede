/** A custom_id reads nonce-seq-slug: the POST, the row's number in base 36, and the row's key as far as it fits, for people. */

/** The API's bound and alphabet: 1 to 64 of [A-Za-z0-9_-]. */
const CUSTOM_ID_LENGTH_MAX = 64;
const NONCE_LENGTH = 16;
/** 80 bits: two of ten million POSTs ever are alike with a chance of one in ten billion. */
export const NONCE_BYTES = 10;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const PATTERN = /^([a-z2-7]{16})-(0|[1-9a-z][0-9a-z]*)(?:-(.*))?$/;

export type CustomId = { readonly nonce: string; readonly seq: number; readonly slug: string };

export function customIdOf(parts: { readonly nonce: string; readonly seq: number; readonly key: string }): string {
  const start = `${parts.nonce}-${parts.seq.toString(36)}`;
  const slug = slugOf(parts.key).slice(0, CUSTOM_ID_LENGTH_MAX - start.length - 1);
  return slug === '' ? start : `${start}-${slug}`;
}

/** Null for a stranger's. */
export function parseCustomId(customId: string): CustomId | null {
  const found = customId.length > CUSTOM_ID_LENGTH_MAX ? null : PATTERN.exec(customId);
  if (found === null) {
    return null;
  }
  const seq = Number.parseInt(found[2]!, 36);
  return Number.isSafeInteger(seq) ? { nonce: found[1]!, seq, slug: found[3] ?? '' } : null;
}

export function nonceOf(customId: string): string | null {
  return parseCustomId(customId)?.nonce ?? null;
}

/** A nonce out of NONCE_BYTES random bytes: five bits a character. */
export function nonceFrom(random: Uint8Array): string {
  if (random.length !== NONCE_BYTES) {
    throw new Error(`a nonce needs ${NONCE_BYTES} random bytes`);
  }
  let bits = random.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  let nonce = '';
  for (let index = 0; index < NONCE_LENGTH; index++) {
    nonce = ALPHABET[Number(bits & 31n)]! + nonce;
    bits >>= 5n;
  }
  return nonce;
}

function slugOf(key: string): string {
  return key.slice(0, CUSTOM_ID_LENGTH_MAX).replace(/[^A-Za-z0-9_-]+/g, '_');
}
