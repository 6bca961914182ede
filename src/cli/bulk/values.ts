/** Readers of the values only the bulk client has: sizes, shares, cuts, lists. */
import { Refused, duration, quoted, text, type Reader } from '../../config/values.ts';
import type { Cut } from '../../bulk/contract.ts';

export const anyText = (placeholder: string): Reader<string> => ({
  accepts: 'a text that is not empty',
  placeholder,
  read(value) {
    if (typeof value !== 'string' || value === '') throw new Refused(`${quoted(value)} is not accepted`);
    return value;
  },
  show: String,
});

export const path = text({ accepts: 'a path', placeholder: 'PATH', pattern: /^\P{Cc}+$/u });

/** The name of a run is that of a folder. */
export const runName = text({
  accepts: 'letters, digits, dots, dashes and underscores, 64 at most, the first a letter or digit',
  placeholder: 'NAME',
  pattern: /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u,
});

/** With commas between them, or a list in the file; a flag may also be given again. */
export const names = (placeholder: string): Reader<readonly string[]> => ({
  accepts: 'names with commas between them',
  placeholder,
  read(value) {
    const words = [value].flat().flatMap((word) => (typeof word === 'string' ? word.split(',') : [word]));
    const trimmed = words.map((word) => (typeof word === 'string' ? word.trim() : ''));
    if (trimmed.length === 0 || trimmed.includes('')) throw new Refused(`${quoted(value)} is not accepted`);
    return trimmed;
  },
  show: (value) => value.join(','),
});

export const namesOf = <const T extends string>(choices: readonly T[]): Reader<readonly T[]> => ({
  accepts: `some of ${choices.join(', ')}, with commas between them`,
  placeholder: 'STATE,…',
  read(value) {
    return names('')
      .read(value)
      .map((word) => {
        const found = choices.find((choice) => choice === word);
        if (found === undefined) throw new Refused(`${quoted(word)} is not accepted`);
        return found;
      });
  },
  show: (value) => value.join(','),
});

const unitBytes: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, kib: 1_024, mib: 1_048_576 };

export const byteSize = ({ max }: { readonly max: number }): Reader<number> => ({
  accepts: `a size like 32mb, at most ${max / 1e6}mb`,
  placeholder: 'SIZE',
  read(value) {
    const [, count, unit = 'b'] = /^(\d+(?:\.\d+)?)([a-z]+)?$/i.exec(String(value)) ?? [];
    const bytes = Math.round(Number(count) * (unitBytes[unit.toLowerCase()] ?? NaN));
    if (!(bytes >= 1 && bytes <= max)) throw new Refused(`${quoted(value)} is not accepted`);
    return bytes;
  },
  show: (bytes) => `${bytes / 1e6}mb`,
});

export const share: Reader<number> = {
  accepts: 'a share like 20% or 0.2',
  placeholder: 'SHARE',
  read(value) {
    const [, digits, percent] = /^(\d+(?:\.\d+)?)(%)?$/.exec(String(value)) ?? [];
    const part = Number(digits) / (percent === undefined ? 1 : 100);
    if (!(part > 0 && part <= 1)) throw new Refused(`${quoted(value)} is not accepted`);
    return part;
  },
  show: (part) => `${part * 100}%`,
};

/** `text=4000`, or `text=4000t` for tokens. */
export const cut: Reader<Cut> = {
  accepts: 'a column and where it is cut, like text=4000 (characters) or text=4000t (tokens)',
  placeholder: 'COLUMN=LENGTH',
  read(value) {
    const [, column, length, tokens] = /^(.+)=([1-9]\d{0,8})(t)?$/s.exec(String(value)) ?? [];
    if (column === undefined) throw new Refused(`${quoted(value)} is not accepted`);
    return { column, characters: tokens ? null : Number(length), tokens: tokens ? Number(length) : null };
  },
  show: ({ column, characters, tokens }) => `${column}=${characters ?? `${tokens}t`}`,
};

export const listOf = <T>(reader: Reader<T>): Reader<readonly T[]> => ({
  accepts: `${reader.accepts}; may be given more than once`,
  placeholder: reader.placeholder,
  read: (value) => [value].flat().map((one) => reader.read(one)),
  show: (value) => (value.length === 0 ? 'none' : value.map((one) => reader.show(one)).join(' ')),
});

/** `fail`, or a cut to try once. */
export const tooLong: Reader<readonly Cut[]> = {
  accepts: 'fail, or truncate:COLUMN=LENGTH',
  placeholder: 'fail|truncate:COLUMN=LENGTH',
  read(value) {
    const words = [value].flat();
    if (words.length === 1 && words[0] === 'fail') return [];
    return words.map((word) => {
      if (typeof word !== 'string' || !word.startsWith('truncate:'))
        throw new Refused(`${quoted(word)} is not accepted`);
      return cut.read(word.slice('truncate:'.length));
    });
  },
  show: (cuts) => (cuts.length === 0 ? 'fail' : cuts.map((one) => `truncate:${cut.show(one)}`).join(' ')),
};

const minutes = duration({ minMs: 0 });

/** `sync@30m`: what still waits after so long is asked by the Messages API, at full price. */
export const fallback: Reader<number> = {
  accepts: 'sync@ and a duration, like sync@30m',
  placeholder: 'sync@DURATION',
  read(value) {
    if (typeof value !== 'string' || !value.startsWith('sync@')) throw new Refused(`${quoted(value)} is not accepted`);
    return minutes.read(value.slice('sync@'.length));
  },
  show: (ms) => `sync@${minutes.show(ms)}`,
};

/** Of JavaScript, matched without regard to case. */
export const pattern: Reader<RegExp> = {
  accepts: 'a regular expression',
  placeholder: 'REGEX',
  read(value) {
    try {
      return new RegExp(String(value), 'iu');
    } catch {
      throw new Refused(`${quoted(value)} is no regular expression`);
    }
  },
  show: ({ source }) => source,
};
