/** What the bulk client asks of the outside besides disk and network: the time, chance, and being called later. */

export type World = {
  nowMs(): number;
  /** In [0, 1). */
  random(): number;
  /** Calls back once; the function given back calls it off. */
  after(ms: number, callback: () => void): () => void;
};

export const systemWorld: World = {
  nowMs: () => Date.now(),
  random: () => Math.random(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
