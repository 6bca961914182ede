/** Generated JSON texts for tests: as valid ones as a peer may send, and the same after damage. */

import fc from 'fast-check';

const chunkOfText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((value) => JSON.stringify(value).slice(1, -1)),
  fc.constantFrom(
    '\\"',
    '\\\\',
    '\\\\\\"',
    '\\ud800',
    '\\u0065',
    '\\/',
    '\u{1f680}',
    'é',
    '{[',
    ']}',
    ',',
    ':',
    'a plain run of more than thirty-two bytes ',
  ),
);

/** The text of a string, with escapes that JSON.stringify would never write. */
export const stringText = fc.array(chunkOfText, { maxLength: 6 }).map((chunks) => `"${chunks.join('')}"`);

const numberText = fc.oneof(
  fc.constantFrom('0', '-0', '9007199254740993', '1e400', '-1.5E+10', '0.1e-7', '123456789012345678901234567890'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.integer().map(String),
);

const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t');

/** The text of any JSON value, in any spelling. */
export const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom('true', 'false', 'null'),
    numberText,
    stringText,
    tie('list'),
    tie('object'),
  ),
  list: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 5 })
    .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
  object: fc
    .array(fc.tuple(space, stringText, space, tie('value')), { maxLength: 5 })
    .map(
      (items) =>
        `{${items.map(([before, key, after, value]) => `${before}${key}${after}:${after}${value}`).join(',')}}`,
    ),
})).value;

type Damage = {
  readonly kind: 'flip' | 'delete' | 'insert' | 'truncate' | 'duplicate';
  readonly place: number;
  readonly length: number;
  readonly byte: number;
};

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('flip', 'delete', 'insert', 'truncate', 'duplicate'),
  place: fc.double({ min: 0, max: 0.999999, noNaN: true }),
  length: fc.integer({ min: 1, max: 6 }),
  byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...Buffer.from('"\\{}[],:0-.eEtu \n\t'))),
});

function damaged(bytes: Buffer, { kind, place, length, byte }: Damage): Buffer {
  const at = Math.floor(place * bytes.length);
  const before = bytes.subarray(0, at);
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(at + 1)]);
    case 'delete':
      return Buffer.concat([before, bytes.subarray(at + length)]);
    case 'insert':
      return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(at)]);
    case 'truncate':
      return before;
    case 'duplicate':
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
  }
}

/** The bytes of `texts`, mostly after one to three pieces of damage. */
export function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(texts, fc.array(damage, { maxLength: 3 }))
    .map(([value, all]) => all.reduce(damaged, Buffer.from(value)));
}

/** Cuts bytes into chunks of the given sizes, used round and round. */
export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

export const sizes = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
);

/** What the platform says of the bytes: the value, or undefined when they are no JSON text. */
export function oracle(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { value: JSON.parse(decoded) };
  } catch {
    return undefined;
  }
}
