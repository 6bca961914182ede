/** The body of a batch's POST, made as it is sent: the rows' requests, of exactly the bytes that were announced. */
import { customIdOf } from '../../submit-once/custom-id.ts';
import type { NewChunk, ChunkKind, ChunkRows } from '../ledger/records.ts';
import {
  bodyClose,
  bodyOpen,
  ChunkCutter,
  type ChunkLimits,
  requestBytes,
  requestHead,
  requestTail,
} from '../plan/chunks.ts';
import { RunError } from './errors.ts';
import type { RunParts } from './parts.ts';
import { renderRows } from './rows.ts';

/** Pieces handed to the socket: larger ones save calls, smaller ones memory. */
const PIECE_BYTES = 65_536;
const EXAMPLE_NONCE = 'a'.repeat(16);

export async function* bodyOf(parts: RunParts, { seqs, sizes }: ChunkRows, nonce: string): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [Buffer.from(bodyOpen)];
  let bytes = 0;
  let index = 0;
  for await (const { seq, key, params } of renderRows(parts, seqs)) {
    if (params === null || params.length !== sizes[index]) {
      throw new RunError('changed', `the input has changed since the run began: row ${key} makes another request now`);
    }
    const head = Buffer.from((index === 0 ? '' : ',') + requestHead(customIdOf({ nonce, seq, key })), 'latin1');
    pieces.push(head, params, tail);
    bytes += head.length + params.length + tail.length;
    index += 1;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  pieces.push(Buffer.from(bodyClose));
  yield Buffer.concat(pieces);
}

const tail = Buffer.from(requestTail);

/** The bytes of a row's request in a body, before there is a nonce: all nonces are of one length. */
export function bytesInBody({
  seq,
  key,
  params,
}: {
  readonly seq: number;
  readonly key: string;
  readonly params: number;
}): number {
  return requestBytes({ customId: customIdOf({ nonce: EXAMPLE_NONCE, seq, key }).length, params });
}

export type CutRow = { readonly seq: number; readonly bytes: number; readonly params: number };

/** Cuts rows into chunks of a kind. */
export function cutRows(
  rows: Iterable<CutRow>,
  how: { readonly limits: ChunkLimits; readonly salt: number; readonly kind: ChunkKind },
): NewChunk[] {
  const cutter = new ChunkCutter(how);
  const chunks: NewChunk[] = [];
  // Of the rows the cutter holds: they leave it in the order they came in.
  let held: number[] = [];
  const take = (chunk: ReturnType<ChunkCutter['end']>): void => {
    if (chunk === null) return;
    chunks.push({ kind: how.kind, ...chunk, sizes: held.slice(0, chunk.seqs.length) });
    held = held.slice(chunk.seqs.length);
  };
  for (const row of rows) {
    take(cutter.add(row));
    held.push(row.params);
  }
  take(cutter.end());
  return chunks;
}

/** The rows of a stored chunk, for cutting them anew. */
export function rowsOfChunk(parts: Pick<RunParts, 'ledger'>, { seqs, sizes }: ChunkRows): CutRow[] {
  return parts.ledger.originsOf([...seqs]).map(({ seq, key }, index) => {
    const params = sizes[index]!;
    return { seq, params, bytes: bytesInBody({ seq, key, params }) };
  });
}
