/**
 * Creates under way in this process. A client that gave up on one sends it again, and the re-send may be accepted first, while
 * the first is still uploading or its broken connection has not been noticed: the first then becomes the batch of its re-send.
 */
import type { Batch } from '../domain/batch.ts';
import { OPEN_BYTES_ALL_MAX, OPEN_BYTES_MAX, OPEN_BYTES_MIN } from '../domain/limits.ts';
import type { Acceptance, Accepted } from '../ports/catalog.ts';

type Accept = (acceptance: Acceptance) => Promise<Accepted>;

export type UnderWay = {
  /** Asks the catalog, unless a re-send that began later has been accepted already. */
  accept(acceptance: Acceptance): Promise<Accepted>;
  /** Its share of the memory of all uploads. */
  openBytesMax(): number;
  end(): void;
};

type Create = { readonly order: number; readonly overtakenBy: Map<string, Batch> };

export class Creates {
  readonly #accept: Accept;
  readonly #underWay = new Set<Create>();
  /** The last accept of each identity under way: the next of the same one waits for its answer. */
  readonly #accepting = new Map<string, Promise<unknown>>();
  #begun = 0;

  constructor(accept: Accept) {
    this.#accept = accept;
  }

  begin(): UnderWay {
    this.#begun += 1;
    const create: Create = { order: this.#begun, overtakenBy: new Map() };
    this.#underWay.add(create);
    return {
      accept: (acceptance) => this.#inTurn(create, acceptance),
      openBytesMax: () => this.#share(),
      end: () => void this.#underWay.delete(create),
    };
  }

  #share(): number {
    return Math.min(OPEN_BYTES_MAX, Math.max(OPEN_BYTES_MIN, Math.floor(OPEN_BYTES_ALL_MAX / this.#underWay.size)));
  }

  async #inTurn(create: Create, acceptance: Acceptance): Promise<Accepted> {
    const identity = identityOf(acceptance);
    const before = this.#accepting.get(identity) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#decide(create, acceptance));
    this.#accepting.set(identity, mine);
    try {
      return await mine;
    } finally {
      if (this.#accepting.get(identity) === mine) this.#accepting.delete(identity);
    }
  }

  async #decide(create: Create, acceptance: Acceptance): Promise<Accepted> {
    const identity = identityOf(acceptance);
    const batch = create.overtakenBy.get(identity);
    if (batch) return { kind: 'repeated', batch };
    const accepted = await this.#accept(acceptance);
    if (acceptance.resend !== null && accepted.kind !== 'conflict') {
      for (const other of this.#underWay)
        if (other.order < create.order) other.overtakenBy.set(identity, accepted.batch);
    }
    return accepted;
  }
}

/** What makes a re-send the same create: its content and caller, and its idempotency key or the lack of one. */
function identityOf({ workspaceId, fingerprint, idempotencyKey }: Acceptance): string {
  return `${workspaceId}\n${fingerprint}\n${idempotencyKey?.key ?? ''}`;
}
