/** Names of things: `msgbatch_01…`, `req_01…`, `wrkspc_01…`, `apikey_01…`; random base-62, as long as the official ones. */

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 22;

export type IdPrefix = 'msgbatch' | 'msg' | 'toolu' | 'req' | 'wrkspc' | 'apikey' | 'node';

/** `bytes` must return that many random bytes. Bytes above 247 are skipped so that every character is equally likely. */
export function newId(prefix: IdPrefix, bytes: (count: number) => Uint8Array): string {
  let text = '';
  while (text.length < randomLength) {
    for (const byte of bytes(randomLength + 6)) {
      if (byte < 248 && text.length < randomLength) text += alphabet[byte % 62];
    }
  }
  return `${prefix}_01${text}`;
}

const batchIdPattern = /^msgbatch_[a-zA-Z0-9]{1,64}$/;

export function isBatchId(text: string): boolean {
  return batchIdPattern.test(text);
}
