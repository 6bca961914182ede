/** Waiting for something that another process does: asked again until it is so, and never without an end. */

export type Until<T> = {
  /** What is waited for, in words. */
  readonly what: string;
  readonly withinMs: number;
  /** Anything but undefined and false ends the wait. */
  readonly ask: () => Promise<T | undefined | false>;
};

const PAUSE_MS = 20;

export async function until<T>({ what, withinMs, ask }: Until<T>): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadlineMs) throw new Error(`after ${withinMs} ms: ${what} still is not so`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
