/** Brings batches made elsewhere under a planned run: their rows, known again by custom_id, are not bought a second time. */
import type { RemoteBatch } from '../contract.ts';
import { customIdIn } from './first-line.ts';
import { rawPath } from './folder.ts';
import { readRaw, RawWriter } from '../results/raw.ts';
import { RunError } from './errors.ts';
import type { RunParts } from './parts.ts';
import { rowOf } from './adopted-rows.ts';
import { cutRows, rowsOfChunk } from './body.ts';

export type Adopted = { readonly batchId: string; readonly rows: number; readonly strangers: number };

/** All of them must have ended: before that nobody can say whose rows they hold. */
export async function adoptBatches(
  parts: RunParts,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly Adopted[]> {
  const batches = await Promise.all(ids.map(async (id) => await parts.api.retrieve(id, signal)));
  const running = batches.filter(({ status }) => status !== 'ended');
  if (running.length > 0) {
    throw new RunError(
      'usage',
      `${running.map(({ id }) => id).join(', ')} has not ended: which rows it holds shows when it has`,
    );
  }
  const known = new Set(parts.ledger.read.batches().map(({ id }) => id));
  const adopted: Adopted[] = [];
  // The later batch holds the later attempts.
  for (const batch of batches
    .filter(({ id }) => !known.has(id))
    .sort((left, right) => left.createdAtMs - right.createdAtMs)) {
    adopted.push(await adoptOne(parts, batch, signal));
  }
  recutWaiting(parts);
  return adopted;
}

async function adoptOne(parts: RunParts, batch: RemoteBatch, signal: AbortSignal): Promise<Adopted> {
  const path = rawPath(parts.folder, batch.id);
  const writer = await RawWriter.open({ path });
  try {
    const results = await parts.api.results({ id: batch.id, from: writer.from, etag: null, signal });
    if (results.from !== writer.from) await writer.restart();
    for await (const piece of results.body) await writer.push(piece);
  } catch (error) {
    await writer.detach();
    throw error;
  }
  if (!(await writer.finish()))
    throw new RunError('damaged', `the results of ${batch.id} end inside a line; adopt it again`);
  const seqs = new Set<number>();
  let strangers = 0;
  for await (const lines of readRaw({ path, batchId: batch.id })) {
    for (const { bytes } of lines) {
      const customId = customIdIn(bytes.toString('utf8'));
      const seq = customId === null ? null : rowOf(parts.ledger, customId);
      if (seq === null) strangers += 1;
      else if (parts.ledger.read.item(seq)!.state !== 'ok') seqs.add(seq);
    }
  }
  const ordered = [...seqs].sort((left, right) => left - right);
  if (ordered.length > 0)
    parts.ledger.adoptBatch(batch, { kind: 'plan', bytes: 0, seqs: ordered, sizes: ordered.map(() => 0) });
  return { batchId: batch.id, rows: ordered.length, strangers };
}

/** Chunks that were planned keep only the rows that still wait. */
function recutWaiting({ ledger, world }: RunParts): void {
  for (const chunk of ledger.chunks('waiting')) {
    const rows = rowsOfChunk({ ledger }, ledger.rowsOf(chunk.id));
    const left = rows.filter(({ seq }) => ledger.read.item(seq)!.state === 'pending');
    if (left.length === rows.length) continue;
    const limits = { requests: Infinity, bytes: Infinity };
    ledger.splitChunk(chunk.id, cutRows(left, { limits, salt: Math.floor(world.random() * 1_000), kind: chunk.kind }));
  }
}
