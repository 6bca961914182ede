/** Ids as the API makes them, drawn instead of chosen by chance. */
import type { Draw } from './draw.ts';

const BASE_62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** An id is its prefix, 01, and so many letters. */
const ID_LETTERS = 22;
/** A word of 32 bits gives five letters of 62 without a visible bias. */
const LETTERS_PER_WORD = 5;

export function drawId(prefix: 'msg' | 'req' | 'toolu', draw: Draw): string {
  return `${prefix}_01${drawLetters(draw, ID_LETTERS)}`;
}

export function drawLetters(draw: Draw, length: number): string {
  let letters = '';
  while (letters.length < length) {
    let rest = draw.word();
    const count = Math.min(LETTERS_PER_WORD, length - letters.length);
    for (let letter = 0; letter < count; letter += 1) {
      letters += BASE_62.charAt(rest % 62);
      rest = Math.floor(rest / 62);
    }
  }
  return letters;
}
