/**
 * `--only-changed`: the input or the prompt of a run is another one now, and only rows whose request differs are to be sent again. Each group
 * of rows is one transaction and the frozen spec comes last, so that an interrupted replan is simply made again.
 */
import type { SourceRow } from '../contract.ts';
import type { NewItem } from '../ledger/records.ts';
import { LEDGER_GROUP_ROWS } from '../limits.ts';
import { RunError } from './errors.ts';
import { writeSpec } from './folder.ts';
import { newItem, planFacts, type PlanParts } from './plan.ts';
import { SeenRequests } from './seen.ts';
import type { RunSpec } from './spec.ts';

export type Replanned = {
  readonly spec: RunSpec;
  readonly changed: number;
  readonly added: number;
  readonly same: number;
};

export async function replanChanged(parts: PlanParts): Promise<Replanned> {
  const { folder, ledger, source } = parts;
  if (ledger.chunks('open').length > 0) {
    throw new RunError(
      'usage',
      'batches of this run are still under way: go on with it as it was started, or cancel it, and then change it',
    );
  }
  const spec = { ...parts.spec, input: { ...parts.spec.input, identity: await source.identity() } };
  ledger.dissolveWaiting();
  const replanning = new Replanning(parts);
  for await (const rows of source.rows()) {
    for (const row of rows) await replanning.add(row);
  }
  const counts = replanning.end();
  ledger.recount(JSON.stringify({ ...planFacts(ledger), rows: ledger.read.rows() }));
  writeSpec(folder, spec);
  return { spec, ...counts };
}

class Replanning {
  readonly #parts: PlanParts;
  readonly #before: number;
  /** Among the changed rows only: what was answered before stays with its row. */
  readonly #seen: SeenRequests;
  #group: NewItem[] = [];
  #next = 0;
  #changed = 0;
  #added = 0;

  constructor(parts: PlanParts) {
    this.#parts = parts;
    this.#before = parts.ledger.read.rows();
    this.#seen = new SeenRequests(
      (seq) => this.#group.find((item) => item.seq === seq)?.hash ?? parts.ledger.hashOf(seq),
    );
  }

  async add(row: SourceRow): Promise<void> {
    const { ledger, prompt, spec } = this.#parts;
    const { item } = newItem(row, { prompt, rendered: row.fault === null ? await prompt.render(row) : null });
    this.#next = row.seq + 1;
    const isNew = row.seq >= this.#before;
    if (!isNew && isSame(item, { hash: ledger.hashOf(row.seq), fault: ledger.read.item(row.seq)!.fault })) return;
    if (isNew) this.#added += 1;
    else this.#changed += 1;
    const sameAs =
      item.hash === null || !spec.batching.dedupe ? null : this.#seen.first(Buffer.from(item.hash), row.seq);
    this.#group.push({ ...item, sameAs });
    if (this.#group.length >= LEDGER_GROUP_ROWS) this.#flush();
  }

  end(): Omit<Replanned, 'spec'> {
    if (this.#next < this.#before) {
      throw new RunError('usage', `the input has ${this.#next} rows now, and had ${this.#before}: start a new run`);
    }
    this.#flush();
    return { changed: this.#changed, added: this.#added, same: this.#before - this.#changed };
  }

  #flush(): void {
    const { ledger } = this.#parts;
    // A row that was never there is first put in its place, then told apart like the others.
    ledger.addItems(
      this.#group
        .filter(({ seq }) => seq >= this.#before && ledger.read.item(seq) === null)
        .map((item) => ({ ...item, sameAs: null })),
    );
    ledger.replaceItems(this.#group);
    this.#group = [];
  }
}

function isSame(item: NewItem, before: { readonly hash: Uint8Array | null; readonly fault: string | null }): boolean {
  if (item.hash === null || before.hash === null) return item.hash === before.hash && item.fault === before.fault;
  return Buffer.from(item.hash).equals(before.hash);
}
