/** The rows every bench sends: deterministic bytes of a chosen size, each with a marker that only it has. */

export type Rows = {
  /** The number of the first row; batches that run side by side must not share numbers. */
  readonly first: number;
  readonly count: number;
  /** Length of the `params` of a row with a one-digit number; each further digit adds one byte. */
  readonly paramsBytes: number;
};

const BLOCK_BYTES = 1024 * 1024;
const OPENING = Buffer.from('{"requests":[');
const CLOSING = Buffer.from(']}');
const PARAMS_HEAD = '{"model":"claude-bench","max_tokens":64,"messages":[{"role":"user","content":"row-';
const PARAMS_TAIL = '"}]}';
/** Has what real prompts have: an escape, and characters of two and three bytes. */
const SENTENCE = 'She wrote: \\"naïve façades cost 5 €\\",\\n and went on. ';

export function customIdOf(row: number): string {
  return `id-${row}`;
}

export function markerOf(row: number): string {
  return `row-${row}`;
}

export function paramsLengthOf(row: number, { paramsBytes }: Rows): number {
  return paramsBytes + String(row).length - 1;
}

/** The params alone, as an upstream gets them. */
export function paramsOf(row: number, rows: Rows): Buffer {
  return Buffer.concat([Buffer.from(`${PARAMS_HEAD}${row}`), tailOf(rows)]);
}

/** A create's body, in blocks of about one MiB. */
export function* bodyBlocks(rows: Rows): Generator<Buffer, void, undefined> {
  const tail = tailOf(rows);
  let block = Buffer.allocUnsafe(BLOCK_BYTES);
  let used = OPENING.copy(block);
  for (let row = rows.first; row < rows.first + rows.count; row += 1) {
    const head = headOf(row, rows);
    if (used + head.length + tail.length + CLOSING.length + 1 > block.length) {
      yield block.subarray(0, used);
      block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, head.length + tail.length + CLOSING.length + 1));
      used = 0;
    }
    used += block.write(head, used, 'latin1');
    used += tail.copy(block, used);
    block[used++] = 0x7d;
  }
  used += CLOSING.copy(block, used);
  yield block.subarray(0, used);
}

export function bodyLength(rows: Rows): number {
  const tail = tailOf(rows).length;
  let length = OPENING.length + CLOSING.length;
  for (let row = rows.first; row < rows.first + rows.count; row += 1) length += headOf(row, rows).length + tail + 1;
  return length;
}

function headOf(row: number, { first }: Rows): string {
  return `${row === first ? '' : ','}{"custom_id":"${customIdOf(row)}","params":${PARAMS_HEAD}${row}`;
}

function tailOf({ paramsBytes }: Rows): Buffer {
  const sentence = Buffer.from(SENTENCE);
  const fillBytes = paramsBytes - PARAMS_HEAD.length - 2 - PARAMS_TAIL.length;
  if (fillBytes < 0) throw new Error(`params of ${paramsBytes} bytes have no room for their marker`);
  const sentences = Math.floor(fillBytes / sentence.length);
  const filler = Buffer.alloc(sentences * sentence.length, sentence);
  return Buffer.concat([
    Buffer.from(' '),
    filler,
    Buffer.alloc(fillBytes - filler.length, '.'),
    Buffer.from(PARAMS_TAIL),
  ]);
}
