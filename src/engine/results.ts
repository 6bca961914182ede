/** Results: the chunks of a batch as one byte string, read by range and pulled as fast as the reader takes it. */
import type { Batch } from '../domain/batch.ts';
import { RESULTS_READ_BYTES } from '../domain/limits.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog, ChunkRow } from '../ports/catalog.ts';
import type { Results } from './contract.ts';

const chunksPage = 1_000;

export function openResults(parts: { catalog: Catalog; blobs: Blobs; batch: Batch }): Results {
  const { batch } = parts;
  const bytes = batch.resultBytes;
  // After the end the bytes never change, so the batch and their number name them.
  return { batch, bytes, etag: `"${batch.id}-${bytes}"`, read: (range) => readRange(parts, range) };
}

async function* readRange(parts: { catalog: Catalog; blobs: Blobs; batch: Batch }, range: { start: number; end: number }): AsyncIterable<Uint8Array> {
  let ahead: Promise<Uint8Array> | null = null;
  for await (const piece of pieces(parts, range)) {
    const next = parts.blobs.get(piece.blob, piece);
    // One read is always under way while the reader takes the last one. Its error is met when its turn comes.
    next.catch(() => undefined);
    if (ahead) yield await ahead;
    ahead = next;
  }
  if (ahead) yield await ahead;
}

type Piece = { readonly blob: string; readonly start: number; readonly end: number };

async function* pieces(parts: { catalog: Catalog; batch: Batch }, range: { start: number; end: number }): AsyncIterable<Piece> {
  for await (const chunk of chunks(parts)) {
    if (chunk.offset >= range.end) return;
    const from = Math.max(range.start, chunk.offset);
    const to = Math.min(range.end, chunk.offset + chunk.bytes);
    for (let at = from; at < to; at += RESULTS_READ_BYTES) {
      const start = chunk.blobOffset + at - chunk.offset;
      yield { blob: chunk.blob, start, end: start + Math.min(RESULTS_READ_BYTES, to - at) };
    }
  }
}

async function* chunks({ catalog, batch }: { catalog: Catalog; batch: Batch }): AsyncIterable<ChunkRow> {
  let after = -1;
  for (;;) {
    const page = await catalog.chunks({ batchId: batch.id, after, limit: chunksPage });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < chunksPage) return;
    after = last.sequence;
  }
}
