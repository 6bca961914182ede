/** Names of tools: what chat completions do not take is mapped to what they do, and back in the answer. */
import { hash } from 'node:crypto';

const NAME_LENGTH_MAX = 64;
const HASH_LENGTH = 8;
const takable = /^[A-Za-z0-9_-]{1,64}$/;

export class ToolNames {
  /** The names sent that are not the request's own. */
  readonly #originals = new Map<string, string>();
  /** Every name of the request that is sent as it is. */
  readonly #taken = new Set<string>();

  /** Names that stay must be known before any is mapped, so that no mapped one becomes the same. */
  keep(name: string): void {
    if (takable.test(name)) this.#taken.add(name);
  }

  sent(name: string): string {
    if (takable.test(name)) return name;
    for (let salt = 0; ; salt += 1) {
      const digest = hash('sha256', `${salt}\n${name}`).slice(0, HASH_LENGTH);
      const head = name.slice(0, NAME_LENGTH_MAX - HASH_LENGTH - 1).replaceAll(/[^A-Za-z0-9_-]/g, '_');
      const mapped = `${head}_${digest}`;
      const other = this.#originals.get(mapped);
      if (this.#taken.has(mapped) || (other !== undefined && other !== name)) continue;
      this.#originals.set(mapped, name);
      return mapped;
    }
  }

  original(sent: string): string {
    return this.#originals.get(sent) ?? sent;
  }
}
