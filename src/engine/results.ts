/** Results: the chunks of a batch as one byte string, read by range and pulled as fast as the reader takes it. */
import type { Batch } from '../domain/batch.ts';
import { RESULTS_READ_BYTES, RESULTS_READS_AHEAD } from '../domain/limits.ts';
import { BlobMissingError, type Blobs } from '../ports/blobs.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Results } from './contract.ts';

const chunksPage = 1_000;

type Parts = { readonly catalog: Catalog; readonly blobs: Blobs; readonly batch: Batch };
type Range = { readonly start: number; readonly end: number };

export function openResults(parts: Parts): Results {
  const { batch } = parts;
  const bytes = batch.resultBytes;
  // Bytes once sealed never change, so the batch and their number name them, also while it runs.
  return { batch, bytes, etag: `"${batch.id}-${bytes}"`, read: (range) => readRange(parts, range) };
}

/** A slow reader may be so far behind that its chunks were merged and their blobs are gone: it goes on in the merged ones. */
async function* readRange(parts: Parts, { start, end }: Range): AsyncIterable<Uint8Array> {
  let at = start;
  let missedAt = -1;
  for (;;) {
    try {
      for await (const bytes of readAhead(parts, { start: at, end })) {
        at += bytes.length;
        yield bytes;
      }
      return;
    } catch (error) {
      if (!(error instanceof BlobMissingError) || missedAt === at) throw error;
      missedAt = at;
    }
  }
}

async function* readAhead(parts: Parts, range: Range): AsyncIterable<Uint8Array> {
  // Some reads are always under way while the reader takes the last one.
  const ahead: Promise<Uint8Array>[] = [];
  for await (const piece of pieces(parts, range)) {
    const next = parts.blobs.get(piece.blob, piece);
    // Its error is met when its turn comes.
    next.catch(() => undefined);
    ahead.push(next);
    if (ahead.length > RESULTS_READS_AHEAD) yield await ahead.shift()!;
  }
  for (const next of ahead) yield await next;
}

type Piece = { readonly blob: string; readonly start: number; readonly end: number };

async function* pieces(parts: Parts, range: Range): AsyncIterable<Piece> {
  let at = range.start;
  let after = -1;
  let searchedFor = -1;
  while (at < range.end) {
    const page = await parts.catalog.chunks({ batchId: parts.batch.id, after, limit: chunksPage });
    const [first] = page;
    if (first && first.offset <= at) {
      for (const chunk of page) {
        const end = Math.min(range.end, chunk.offset + chunk.bytes);
        while (at < end) {
          const to = Math.min(end, at + RESULTS_READ_BYTES);
          const toBlob = chunk.blobOffset - chunk.offset;
          yield { blob: chunk.blob, start: at + toBlob, end: to + toBlob };
          at = to;
        }
      }
      after = page.at(-1)!.sequence;
    } else {
      // Chunks merged since the last page are one row under the number of their first: it is looked for from the beginning, once.
      if (after === -1 || searchedFor === at) throw new Error(`the results of ${parts.batch.id} have no byte ${at}`);
      searchedFor = at;
      after = -1;
    }
  }
}
