/** How much may be in flight and when the next batch may be sent: learned from refusals, more by addition and less by multiplication. */
import { IN_FLIGHT_REQUESTS_DEFAULT, REFUSED_WAIT_MS_MAX } from '../limits.ts';

export type Admission = {
  /** Requests that may be in flight. */
  readonly cap: number;
  readonly capMax: number;
  readonly nextAtMs: number;
  /** Refusals in a row. */
  readonly refusals: number;
};

const LESS = 0.8;
const MORE = 0.05;
const JITTER = 0.25;

export function admissionOf(inFlightRequests: number | null): Admission {
  const cap = inFlightRequests ?? IN_FLIGHT_REQUESTS_DEFAULT;
  return { cap, capMax: cap, nextAtMs: 0, refusals: 0 };
}

/** A batch larger than the cap still goes when nothing else is in flight. */
export function hasRoom(
  { cap }: Admission,
  { inFlight, requests }: { readonly inFlight: number; readonly requests: number },
): boolean {
  return inFlight === 0 || inFlight + requests <= cap;
}

export function afterAccepted(
  admission: Admission,
  now: { readonly atMs: number; readonly staggerMs: number; readonly random: number },
): Admission {
  const { cap, capMax } = admission;
  return {
    ...admission,
    cap: Math.min(capMax, Math.ceil(cap * (1 + MORE))),
    nextAtMs: now.atMs + jittered(now.staggerMs, now.random),
    refusals: 0,
  };
}

/** Refused for now: what is in flight was enough already. */
export function afterRefused(
  admission: Admission,
  now: {
    readonly atMs: number;
    readonly inFlight: number;
    readonly retryAfterMs: number | null;
    readonly waitMs: number;
    readonly random: number;
  },
): Admission {
  const { refusals } = admission;
  const backOff = Math.min(REFUSED_WAIT_MS_MAX, now.waitMs * 2 ** Math.min(refusals, 10));
  // What the server says is the least; the jitter only adds.
  const waitMs =
    now.retryAfterMs === null ? jittered(backOff, now.random) : now.retryAfterMs * (1 + JITTER * now.random);
  const cap =
    now.inFlight === 0 ? admission.cap : Math.max(1, Math.floor(Math.min(admission.cap, now.inFlight) * LESS));
  return { ...admission, cap, nextAtMs: now.atMs + waitMs, refusals: refusals + 1 };
}

function jittered(ms: number, random: number): number {
  return ms * (1 - JITTER + 2 * JITTER * random);
}
