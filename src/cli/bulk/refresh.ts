/** Asks the API how the batches of a run stand; changes nothing. */
import type { RemoteBatch } from '../../bulk/contract.ts';
import { openApi } from './api.ts';
import type { Given } from './read-flags.ts';
import { withLedger, type FoundRun } from './where.ts';

export async function refreshed(given: Given, run: FoundRun): Promise<readonly RemoteBatch[]> {
  const running = await withLedger(run, (ledger) =>
    ledger.batches().filter(({ state, id }) => state === 'running' && !id.startsWith('sync-')),
  );
  if (running.length === 0) return [];
  const opened = await openApi(given, { spec: run.spec, folder: run.folder });
  const { signal } = new AbortController();
  try {
    return await Promise.all(running.map(({ id }) => opened.api.retrieve(id, signal)));
  } finally {
    await opened.close();
  }
}
