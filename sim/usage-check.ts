/** What was used and what it would be billed, reckoned from the lines alone and held against every table and account. */
import { accountOf, type Dated } from '../src/money/cost.ts';
import { decimal } from '../src/money/words.ts';
import type { Usage } from '../src/domain/tally.ts';
import type { Database } from '../src/stores/sqlite/database.ts';
import type { BatchTruth, Ledger } from './ledger.ts';
import { sumUsage } from './seal-check.ts';
import { ANSWERING_MODEL } from './upstream.ts';
import type { SimWorld } from './world.ts';

type Parts = { readonly world: SimWorld; readonly ledger: Ledger; readonly database: Database };

type Sums = { readonly requests: number | null; readonly input: number | null; readonly output: number | null };

const sums = 'sum(requests) as requests, sum(input_tokens) as input, sum(output_tokens) as output';

/** Each creation has a key of its own, so that what is added up by key can be told apart again. */
export function checkUsage(parts: Parts, batch: BatchTruth): void {
  const { world, database } = parts;
  const keyId = `key_${batch.creation.token}`;
  const byBatch = database.get<Sums>(`select ${sums} from usage where batch_id = :id and wasted = 0`, {
    id: batch.id,
  })!;
  const lines = [...batch.lines.values()].filter(({ kind }) => kind === 'succeeded');
  const { inputTokens, outputTokens } = sumUsage(lines.map(({ usage }) => usage));
  const wanted = [lines.length, inputTokens, outputTokens].join();
  const places: (readonly [string, Sums])[] = [['the batch', byBatch]];
  for (const seconds of [60, 86_400]) {
    const sql = `select ${sums} from usage_buckets where seconds = :seconds and key_id = :keyId and workspace_id = :workspaceId and wasted = 0`;
    const counted = database.get<Sums>(sql, { seconds, keyId, workspaceId: batch.workspaceId })!;
    places.push([`buckets of ${seconds} s`, counted]);
  }
  for (const [place, counted] of places) {
    const found = [counted.requests ?? 0, counted.input ?? 0, counted.output ?? 0].join();
    if (found !== wanted)
      return world.violate('usage once', `${place} of ${batch.id} count ${found}, its lines ${wanted}`);
  }
  checkWasted(parts, batch);
  checkBilled(parts, { batch, usages: lines.map(({ usage }) => usage!) });
}

/** Attempts are lost with a process, never made up. */
function checkWasted({ world, ledger, database }: Parts, batch: BatchTruth): void {
  const sql = 'select sum(requests) as requests from usage where batch_id = :id and wasted = 1';
  const counted = database.get<{ requests: number | null }>(sql, { id: batch.id })!.requests ?? 0;
  const calls = [...batch.places.keys()].flatMap((customId) => ledger.callsOf(batch.creation.token, customId));
  const paid = calls.filter(({ state }) => state === 'perhaps' || state === 'aborted' || state === 'message').length;
  const bought = [...batch.lines.values()].filter(({ kind }) => kind === 'succeeded').length;
  if (counted > paid - bought)
    world.violate('usage once', `${batch.id} counts ${counted} wasted attempts, of ${paid} that bought ${bought}`);
}

/** Half of the list price of what each line's own request used; errored, canceled and expired ones are free. */
function checkBilled({ world, database }: Parts, made: { batch: BatchTruth; usages: readonly Usage[] }): void {
  const rows = database.all<Omit<Dated, 'wasted'> & { readonly wasted: number }>(
    `select day, model, upstream, billing, tier, band, wasted, requests, input_tokens as inputTokens, output_tokens as outputTokens,
       cache_creation_input_tokens as cacheCreationInputTokens, cache_read_input_tokens as cacheReadInputTokens,
       cache_creation_1h_input_tokens as cacheCreation1hInputTokens
     from usage where batch_id = :id`,
    { id: made.batch.id },
  );
  const { billed } = accountOf(rows.map((row) => ({ ...row, wasted: row.wasted === 1 })));
  const wanted = made.usages.reduce((sum, usage) => sum + billedFor(usage), 0n);
  if (billed.picodollars !== wanted || billed.unpriced.length > 0) {
    const said = `${decimal(billed.picodollars)} and no price for ${billed.unpriced.length}`;
    world.violate('billed by the rules', `${made.batch.id} is billed $${said} instead of $${decimal(wanted)}`);
  }
}

/** The prices of the answering model once more, in picodollars a token, so that no fault of the list or its reading hides itself. */
function billedFor({ inputTokens, outputTokens }: Usage): bigint {
  const { input, output } = ANSWERING_MODEL.rates[inputTokens > ANSWERING_MODEL.shortPromptMax ? 1 : 0]!;
  return (BigInt(inputTokens) * input + BigInt(outputTokens) * output) / 2n;
}
