/** Chunk rows: a batch's results in sequence; neighbours of an ended batch may become one, their bytes unchanged. */
import type { Catalog, ChunkRow } from '../../ports/catalog.ts';
import { findBatch } from './batches.ts';
import type { Database } from './database.ts';

export function insertChunk(database: Database, batchId: string, chunk: ChunkRow): void {
  const { sequence, offset, bytes, lines, blob, blobOffset, indexOffset, indexBytes } = chunk;
  database.run(
    `insert into chunks (batch_id, sequence, result_offset, bytes, lines, blob, blob_offset, index_offset, index_bytes)
     values (:batchId, :sequence, :offset, :bytes, :lines, :blob, :blobOffset, :indexOffset, :indexBytes)`,
    { batchId, sequence, offset, bytes, lines, blob, blobOffset, indexOffset, indexBytes },
  );
}

export function chunks(database: Database, query: Parameters<Catalog['chunks']>[0]): ChunkRow[] {
  const rows = database.all<ChunkRow>(
    `select sequence, result_offset as "offset", bytes, lines, blob, blob_offset as blobOffset,
       index_offset as indexOffset, index_bytes as indexBytes
     from chunks where batch_id = :batchId and sequence > :after order by sequence limit :limit`,
    query,
  );
  return rows.map((row) => ({ ...row }));
}

/** Only when both ends are still there and what is between has the very bytes and lines of the new chunk. */
export function merge(database: Database, change: Parameters<Catalog['merge']>[0]): boolean {
  const { batchId, from, to, chunk } = change;
  const batch = findBatch(database, batchId);
  if (batch?.state !== 'ended' || batch.archivedAt !== null) return false;
  const old = chunks(database, { batchId, after: from - 1, limit: to - from + 1 }).filter(
    ({ sequence }) => sequence <= to,
  );
  const first = old[0];
  if (first?.sequence !== from || old.at(-1)?.sequence !== to) return false;
  if (sum(old, 'bytes') !== chunk.bytes || sum(old, 'lines') !== chunk.lines) return false;
  database.run('delete from chunks where batch_id = :batchId and sequence between :from and :to', {
    batchId,
    from,
    to,
  });
  insertChunk(database, batchId, { ...chunk, sequence: from, offset: first.offset });
  database.run('update batches set chunk_count = chunk_count - :gone where id = :batchId', {
    batchId,
    gone: old.length - 1,
  });
  return true;
}

function sum(rows: readonly ChunkRow[], column: 'bytes' | 'lines'): number {
  return rows.reduce((total, row) => total + row[column], 0);
}
