/** What goes wrong when: windows of virtual time, drawn once from the seed, that disks, catalog and upstream look at. */
import type { Random } from './random.ts';

export type FaultKind = 'blobs full' | 'log full' | 'catalog full' | 'slow disk' | 'brown-out';

type Window = { readonly kind: FaultKind; readonly fromMs: number; readonly toMs: number };

export class Faults {
  readonly #windows: readonly Window[];
  #over = false;

  constructor(windows: readonly Window[]) {
    this.#windows = windows;
  }

  active(kind: FaultKind, nowMs: number): boolean {
    return (
      !this.#over &&
      this.#windows.some((window) => window.kind === kind && nowMs >= window.fromMs && nowMs < window.toMs)
    );
  }

  /** Whether any of these was active between two times. */
  touched(kind: FaultKind, fromMs: number, toMs: number): boolean {
    return this.#windows.some((window) => window.kind === kind && window.fromMs <= toMs && window.toMs >= fromMs);
  }

  get over(): boolean {
    return this.#over;
  }

  /** From here on everything works: what was promised must now come true. */
  end(): void {
    this.#over = true;
  }
}

export function drawFaults(random: Random, horizonMs: number): Faults {
  const windows: Window[] = [];
  for (const kind of ['blobs full', 'log full', 'catalog full', 'slow disk', 'brown-out'] as const) {
    if (!random.chance(0.25)) continue;
    for (let count = random.integer(1, 3); count > 0; count--) {
      const fromMs = random.between(0, horizonMs);
      windows.push({ kind, fromMs, toMs: fromMs + random.between(10, 20_000) });
    }
  }
  return new Faults(windows);
}
