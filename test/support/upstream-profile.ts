/** What a test upstream is told to do: how slow, how faulty, and when. All of it is plain data that travels as JSON. */

export const faultKinds = [
  /** Answered refusals: nothing was bought. */
  'status400',
  'status429',
  'status500',
  'status503',
  'status529',
  /** The socket is reset after the whole request was read and before anything is answered. */
  'reset',
  /** The head and half of the answer, then a reset. */
  'resetMidBody',
  /** Nothing for `hangMs`, then a reset. */
  'hang',
  /** A 200 that is not JSON. */
  'garbage',
  /** A 200 whose JSON is cut, with the content-length of the cut. */
  'truncated',
  /** A 200 whose content-length promises more than comes before the socket ends in peace. */
  'lengthMismatch',
  /** A 200 whose body goes on until the caller leaves or `hugeBytesMax` is reached. */
  'huge',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** `refuse` closes the listener and every connection, so that connecting fails; the others answer every call with that status. */
export const windowKinds = ['status429', 'status503', 'status529', 'refuse'] as const;
export type WindowKind = (typeof windowKinds)[number];

/** Times count from the moment the profile was set. */
export interface FaultWindow {
  readonly kind: WindowKind;
  readonly fromMs: number;
  readonly forMs: number;
}

export interface UpstreamProfile {
  readonly seed: number | string;
  /** The median of what an answer takes; faults that answer 200 take it too, refusals and resets are immediate. */
  readonly latencyMs: number;
  /** The spread of a lognormal around the median; 0 is a fixed latency. */
  readonly latencySigma: number;
  /** Probability per call of each kind; together at most 1. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly windows: readonly FaultWindow[];
  /** Sent with every 429 and 529; null sends none. */
  readonly retryAfterSeconds: number | null;
  readonly hangMs: number;
  readonly hugeBytesMax: number;
  /** Between the events of a stream. */
  readonly eventEveryMs: number;
  /** Whether it has `/v1/messages/count_tokens`; without it that is 404, as at most local servers. */
  readonly countsTokens: boolean;
}

export const calmProfile: UpstreamProfile = {
  seed: 1,
  latencyMs: 0,
  latencySigma: 0,
  faults: {},
  windows: [],
  retryAfterSeconds: 1,
  hangMs: 60_000,
  hugeBytesMax: 256 * 1024 * 1024,
  eventEveryMs: 0,
  countsTokens: false,
};

/** What is absent is calm. A name that is not known is refused, because a misspelled fault would make a test pass for nothing. */
export function completeProfile(partial: Partial<UpstreamProfile>): UpstreamProfile {
  const known = new Set<string>(Object.keys(calmProfile));
  const unknown = Object.keys(partial).filter((name) => !known.has(name));
  const profile = { ...calmProfile, ...partial };
  const faults = Object.entries(profile.faults);
  unknown.push(...faults.map(([kind]) => kind).filter((kind) => !isOneOf(faultKinds, kind)));
  unknown.push(...profile.windows.map(({ kind }) => kind).filter((kind) => !isOneOf(windowKinds, kind)));
  if (unknown.length > 0) throw new Error(`unknown in an upstream profile: ${unknown.join(', ')}`);
  const sum = faults.reduce((total, [, probability]) => total + probability, 0);
  if (sum > 1.000_001) throw new Error(`the probabilities of an upstream profile add up to ${sum}`);
  return profile;
}

/** The window in force, if any. */
export function windowAt(profile: UpstreamProfile, elapsedMs: number): WindowKind | null {
  for (const { kind, fromMs, forMs } of profile.windows) {
    if (elapsedMs >= fromMs && elapsedMs < fromMs + forMs) return kind;
  }
  return null;
}

/** Which fault a draw between 0 and 1 falls into, if any. */
export function faultOf(profile: UpstreamProfile, drawn: number): FaultKind | null {
  let edge = 0;
  for (const kind of faultKinds) {
    edge += profile.faults[kind] ?? 0;
    if (drawn < edge) return kind;
  }
  return null;
}

function isOneOf(kinds: readonly string[], kind: string): boolean {
  return kinds.includes(kind);
}
