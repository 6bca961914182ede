/** Text that a regular expression matches: literals, classes, groups, alternatives and repetitions; nothing that looks around. */
import type { Draw } from './draw.ts';

/** What `*` and `+` repeat at most, unless a length asks for more. */
const REPEATS_TYPICAL = 4;
/** A repetition the pattern itself asks for beyond this is more than an answer should hold. */
const REPEATS_MAX = 2_000;
/** A pattern that would give more is given up. */
const LENGTH_MAX = 20_000;
const DEPTH_MAX = 50;
/** Repetitions of repetitions of nothing still take their time. */
const STEPS_MAX = 100_000;

const lower = 'abcdefghijklmnopqrstuvwxyz';
const number = '0123456789';
const word = `${lower}${lower.toUpperCase()}${number}`;
const printable = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at));

type Wish = { readonly draw: Draw; readonly least: number };

/** Null where the pattern holds what is not known here. */
export function drawPattern(pattern: string, wish: Wish): string | null {
  try {
    const reader = new PatternReader(pattern, wish);
    return reader.whole();
  } catch (error) {
    if (error instanceof UnknownPattern) return null;
    throw error;
  }
}

class UnknownPattern extends Error {}

/** Letters and digits read better than signs, where there is a choice. */
function allBut(letters: string): string {
  const left = printable.filter((letter) => !letters.includes(letter));
  const readable = left.filter((letter) => word.includes(letter));
  return (readable.length > 0 ? readable : left).join('');
}

/** Reads the pattern once from left to right and draws as it goes; every part is a function that draws it again. */
class PatternReader {
  readonly #pattern: string;
  readonly #draw: Draw;
  readonly #repeats: number;
  #at = 0;
  #depth = 0;
  #steps = 0;

  constructor(pattern: string, { draw, least }: Wish) {
    this.#pattern = pattern;
    this.#draw = draw;
    this.#repeats = Math.max(REPEATS_TYPICAL, least * 2);
  }

  whole(): string {
    const make = this.#alternatives();
    if (this.#at < this.#pattern.length) throw new UnknownPattern();
    return make();
  }

  #alternatives(): () => string {
    if (++this.#depth > DEPTH_MAX) throw new UnknownPattern();
    const choices = [this.#sequence()];
    while (this.#take('|')) choices.push(this.#sequence());
    this.#depth -= 1;
    return () => this.#draw.pick(choices)();
  }

  #sequence(): () => string {
    const parts: (() => string)[] = [];
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#peek())) parts.push(this.#repeated(this.#atom()));
    return () => {
      let text = '';
      for (const part of parts) text += part();
      if (text.length > LENGTH_MAX) throw new UnknownPattern();
      return text;
    };
  }

  #atom(): () => string {
    const letter = this.#next();
    if (letter === '^' || letter === '$') return () => '';
    if (letter === '.') return this.#oneOf(word);
    if (letter === '(') return this.#group();
    if (letter === '[') return this.#oneOf(this.#class());
    if (letter === '\\') return this.#escape();
    if ('*+?{'.includes(letter)) throw new UnknownPattern();
    return () => letter;
  }

  #group(): () => string {
    if (this.#take('?')) {
      if (this.#take('<')) {
        if ('=!'.includes(this.#peek())) throw new UnknownPattern();
        while (this.#next() !== '>');
      } else if (!this.#take(':')) throw new UnknownPattern();
    }
    const make = this.#alternatives();
    if (!this.#take(')')) throw new UnknownPattern();
    return make;
  }

  #escape(): () => string {
    const letter = this.#next();
    if (letter === 'b') return () => '';
    if (/[1-9kpPB]/.test(letter)) throw new UnknownPattern();
    return this.#oneOf(this.#escaped(letter));
  }

  /** The letters an escape stands for. */
  #escaped(letter: string): string {
    const sets: Readonly<Record<string, string>> = {
      d: number,
      w: word,
      s: ' ',
      D: lower,
      W: '-.,',
      S: word,
      n: '\n',
      t: '\t',
      r: '\r',
      f: '\f',
      v: '\v',
      0: '\0',
    };
    if (letter === 'u' || letter === 'x') {
      const code = this.#pattern.slice(this.#at, (this.#at += letter === 'u' ? 4 : 2));
      if (!/^[\da-fA-F]+$/.test(code)) throw new UnknownPattern();
      return String.fromCharCode(Number.parseInt(code, 16));
    }
    return sets[letter] ?? letter;
  }

  #class(): string {
    const isNegated = this.#take('^');
    let letters = '';
    while (!this.#take(']')) {
      const start = this.#classLetter();
      const isRange = start.length === 1 && this.#peek() === '-' && this.#pattern[this.#at + 1] !== ']';
      if (!isRange) {
        letters += start;
        continue;
      }
      this.#at += 1;
      const [from, to] = [start.charCodeAt(0), this.#classLetter().charCodeAt(0)];
      for (let code = from; code <= Math.min(to, from + 255); code += 1) letters += String.fromCharCode(code);
    }
    const left = isNegated ? allBut(letters) : letters;
    if (left === '') throw new UnknownPattern();
    return left;
  }

  #classLetter(): string {
    const letter = this.#next();
    if (letter !== '\\') return letter;
    const escaped = this.#next();
    if (/[pPDWS]/.test(escaped)) throw new UnknownPattern();
    return escaped === 'b' ? '\b' : this.#escaped(escaped);
  }

  #repeated(make: () => string): () => string {
    const [least, most] = this.#bounds() ?? [1, 1];
    if (least > REPEATS_MAX) throw new UnknownPattern();
    return () => {
      const span = Math.min(most - least, this.#repeats);
      const count = least + (span > 0 ? this.#draw.word() % (span + 1) : 0);
      let text = '';
      for (let times = 0; times < count && text.length <= LENGTH_MAX; times += 1) {
        if (++this.#steps > STEPS_MAX) throw new UnknownPattern();
        text += make();
      }
      return text;
    };
  }

  #bounds(): readonly [number, number] | null {
    const [found, sign, from, comma, to] =
      /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(this.#pattern.slice(this.#at, this.#at + 32)) ?? [];
    if (found === undefined) return null;
    this.#at += found.length;
    if (sign !== undefined) return sign === '?' ? [0, 1] : [sign === '+' ? 1 : 0, Infinity];
    const least = Number(from);
    if (comma === '') return [least, least];
    return [least, to === '' ? Infinity : Number(to)];
  }

  #oneOf(letters: string): () => string {
    return () => letters.charAt(this.#draw.word() % letters.length);
  }

  #peek(): string {
    return this.#pattern.charAt(this.#at);
  }

  #take(letter: string): boolean {
    if (this.#peek() !== letter || letter === '') return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    if (this.#at >= this.#pattern.length) throw new UnknownPattern();
    return this.#pattern.charAt(this.#at++);
  }
}
