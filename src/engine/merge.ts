/** Merging: neighbouring small chunks of an ended batch become one, their bytes unchanged, so that a download is few reads. */
import { decodeChunkIndex, encodeChunkIndex } from '../bytes/chunk-index.ts';
import type { Batch } from '../domain/batch.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Catalog, ChunkRow } from '../ports/catalog.ts';
import type { World } from '../ports/world.ts';

const chunksMax = 100_000;

/** Returns the blobs no row names any more; downloads under way may still read them for a while. */
export async function mergeChunks(parts: {
  catalog: Catalog;
  blobs: Blobs;
  world: World;
  batch: Batch;
  bytesMax: number;
}): Promise<readonly string[]> {
  const { catalog, batch, bytesMax } = parts;
  const retired: string[] = [];
  const rows = await catalog.chunks({ batchId: batch.id, after: -1, limit: chunksMax });
  let run: ChunkRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (bytes + row.bytes > bytesMax) {
      retired.push(...(await mergeRun(parts, run)));
      run = [];
      bytes = 0;
    }
    run.push(row);
    bytes += row.bytes;
  }
  retired.push(...(await mergeRun(parts, run)));
  return retired;
}

async function mergeRun(
  parts: { catalog: Catalog; blobs: Blobs; world: World; batch: Batch },
  run: readonly ChunkRow[],
): Promise<readonly string[]> {
  const { catalog, blobs, world, batch } = parts;
  const [first] = run;
  const last = run.at(-1);
  if (!first || !last || run.length < 2) return [];
  const lines: Uint8Array[] = [];
  const entries = [];
  for (const row of run) {
    lines.push(await blobs.get(row.blob, { start: row.blobOffset, end: row.blobOffset + row.bytes }));
    entries.push(
      ...decodeChunkIndex(await blobs.get(row.blob, { start: row.indexOffset, end: row.indexOffset + row.indexBytes })),
    );
  }
  const bytes = run.reduce((sum, row) => sum + row.bytes, 0);
  const index = encodeChunkIndex(entries);
  const blob = `${batch.workspaceId}/${batch.id}/m-${Buffer.from(world.chance.bytes(9)).toString('hex')}`;
  await blobs.put(blob, [...lines, index]);
  const chunk = { blob, bytes, lines: entries.length, blobOffset: 0, indexOffset: bytes, indexBytes: index.length };
  const merged = await catalog.merge({ batchId: batch.id, from: first.sequence, to: last.sequence, chunk });
  if (merged) return run.map((row) => row.blob);
  await blobs.delete([blob]);
  return [];
}
