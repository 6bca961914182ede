/** Draws that look random yet depend on nothing but bytes and a seed, so that one request always gets one answer. */

/** Two lanes of 32 bits: enough that two different requests of one batch do not meet. */
export interface Lanes {
  readonly left: number;
  readonly right: number;
}

export interface Draw {
  /** A whole number of 32 bits, never negative. */
  word(): number;
  pick<Choice>(choices: readonly Choice[]): Choice;
  /** Normally distributed around 0, cut at four deviations so that no draw is absurd. */
  normal(): number;
}

const TWO_TO_THE_32 = 4_294_967_296;
const DEVIATIONS_MAX = 4;
/** The first outputs of the generator still show what it was started from. */
const WARM_UP_ROUNDS = 8;

/** The number 1 and the text "1" are the same seed, because a command line cannot tell them apart. */
export function lanesOfSeed(seed: number | string): Lanes {
  return hashBytes(Buffer.from(String(seed)), { left: 0x2545f491, right: 0x6c078965 });
}

/** Quick and well mixed, not cryptographic: a cryptographic hash would cost as much as the rest of an answer. */
export function hashBytes(bytes: Uint8Array, start: Lanes): Lanes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wholeWords = bytes.byteLength & ~3;
  let left = start.left ^ bytes.byteLength;
  let right = start.right;
  for (let at = 0; at < wholeWords; at += 4) {
    const word = view.getInt32(at, true);
    left = Math.imul(left ^ word, 0x9e3779b1);
    left ^= left >>> 15;
    right = Math.imul(right + word, 0x85ebca6b);
    right ^= right >>> 13;
  }
  for (let at = wholeWords; at < bytes.byteLength; at += 1) {
    left = Math.imul(left ^ bytes[at], 0x9e3779b1);
    left ^= left >>> 15;
    right = Math.imul(right + bytes[at], 0x85ebca6b);
    right ^= right >>> 13;
  }
  return { left, right };
}

/** The generator known as sfc32. */
export function startDraw(lanes: Lanes): Draw {
  let a = lanes.left | 0;
  let b = lanes.right | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;

  function word(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) word();
  return {
    word,
    pick: (choices) => choices[word() % choices.length],
    normal: () => {
      const radius = Math.sqrt(-2 * Math.log((word() + 1) / TWO_TO_THE_32));
      const deviation = radius * Math.cos((2 * Math.PI * word()) / TWO_TO_THE_32);
      return Math.max(-DEVIATIONS_MAX, Math.min(DEVIATIONS_MAX, deviation));
    },
  };
}
