/**
 * Whether a lane may send now: its window, what is in flight, its pauses, its sickness and its budgets.
 *
 *   well ──(8 or more failures in a row)──► sick: one probe at a time, further and further apart ──(a success)──► well, with half the window
 *   well ──(429 or 529 that says how long, or too many)──► paused, with half the window ──► well, or, if nothing has succeeded since the one before, one probe first
 *
 * L1 Nothing is sent before a pause is over, nor while the window is full, nor while a probe is out.
 * L2 What was sent before the last cut never cuts again: a window of 128 that is refused halves once, not 128 times.
 * L3 Only a success of what was sent since ends a sickness: answers from better days keep coming for a while.
 */
import {
  LANE_FAILURES_SICK,
  LANE_PAUSE_BASE_MS,
  LANE_PAUSE_MAX_MS,
  LANE_PROBE_BASE_MS,
  LANE_PROBE_MAX_MS,
} from '../domain/limits.ts';
import { Budget } from './budget.ts';
import type { AttemptId, AttemptResult, LaneSettings } from './messages.ts';
import { Window } from './window.ts';

/** Of a wait the upstream asked for: nodes that were told the same must not come back in the same millisecond. */
const JITTER = 0.05;
/** Throttled again with nothing but throttles since: from then on one probe goes first. */
const THROTTLES_STORM = 2;
/**
 * Upstreams shed load by chance. One throttle among eight successes is such noise, for which the request's own backoff is enough;
 * more than these, or than this part of the window, not made up for by successes, say that the window is too large.
 */
const SUCCESSES_A_THROTTLE = 8;
const THROTTLES_NOISE = 4;
const THROTTLES_NOISE_PART = 0.25;

/** A large window brings its quick failures before its slow successes, so a row must also be this part of the window. */
const SICK_PART = 0.25;

export type SentAttempt = { readonly id: AttemptId; readonly probe: boolean };

export class Lane {
  readonly #chance: () => number;
  readonly #window: Window;
  #settings: LaneSettings;
  #requests: Budget | null = null;
  #tokens: Budget | null = null;
  #inFlight = 0;
  #probes = 0;
  #pausedUntilMs = -Infinity;
  #lastSent: AttemptId = 0;
  /** Attempts up to this one were sent before the last halving. */
  #halvedAfter: AttemptId = 0;
  #throttlesInRow = 0;
  /** Throttles not yet made up for by successes. */
  #throttleDebt = 0;
  #failuresInRow = 0;
  #sick = false;
  /** Attempts up to this one were sent before it fell sick. */
  #sickAfter: AttemptId = 0;
  #probesFailed = 0;
  #probeAtMs = -Infinity;

  constructor(settings: LaneSettings, options: { nowMs: number; chance: () => number }) {
    this.#chance = options.chance;
    this.#window = new Window(settings.concurrency);
    this.#settings = settings;
    this.#setBudgets(options.nowMs);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** How many may be in flight now. */
  get window(): number {
    return this.#probing() ? 1 : this.#window.size;
  }

  get sick(): boolean {
    return this.#sick;
  }

  pausedUntilMs(): number {
    return this.#sick ? Math.max(this.#pausedUntilMs, this.#probeAtMs) : this.#pausedUntilMs;
  }

  setSettings(settings: LaneSettings, nowMs: number): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#window.setCap(settings.concurrency);
    // Told the same again, a budget must not fill up.
    const same =
      before.requestsPerMinute === settings.requestsPerMinute && before.tokensPerMinute === settings.tokensPerMinute;
    if (!same) this.#setBudgets(nowMs);
  }

  /** `reserved` slots of the window are kept for others. */
  maySend(nowMs: number, reserved = 0): boolean {
    if (!this.#hasRoom(reserved) || nowMs < this.pausedUntilMs()) return false;
    if (this.#requests !== null && !this.#requests.allows(nowMs)) return false;
    return this.#tokens === null || this.#tokens.allows(nowMs);
  }

  /** When it may send again, if time alone stands in the way; null if an end must come first. */
  maySendAtMs(reserved = 0): number | null {
    if (!this.#hasRoom(reserved)) return null;
    return Math.max(
      this.pausedUntilMs(),
      this.#requests?.allowsAtMs() ?? -Infinity,
      this.#tokens?.allowsAtMs() ?? -Infinity,
    );
  }

  /** Says whether the attempt is a probe. */
  sent(id: AttemptId, tokens: number): boolean {
    this.#lastSent = id;
    this.#inFlight += 1;
    this.#requests?.spend(1);
    this.#tokens?.spend(tokens);
    const probe = this.#probing();
    if (probe) this.#probes += 1;
    return probe;
  }

  /** The attempt's place is free, and its end says something of the upstream. */
  ended(attempt: SentAttempt, result: AttemptResult, nowMs: number): void {
    this.freed(attempt);
    if (result.kind === 'final') this.succeeded(attempt, nowMs);
    else if (result.kind === 'unpaid' && result.throttled) this.throttled(attempt, result.retryAfterMs, nowMs);
    else if (result.kind === 'unpaid') this.failed(attempt, nowMs);
    else if (result.kind === 'perhaps_paid' && result.timeout) this.timedOut(attempt, nowMs);
  }

  /** The attempt's place is free; what it says of the upstream, if anything, is told besides. */
  freed(attempt: SentAttempt): void {
    this.#inFlight -= 1;
    if (attempt.probe) this.#probes -= 1;
  }

  /** After the sends of a step. */
  observe(nowMs: number, reserved = 0): void {
    this.#window.observe(this.#inFlight + reserved >= this.#window.size && !this.#probing(), nowMs);
  }

  succeeded(attempt: SentAttempt, nowMs: number): void {
    this.#failuresInRow = 0;
    this.#throttleDebt = Math.max(0, this.#throttleDebt - 1 / SUCCESSES_A_THROTTLE);
    if (attempt.id > this.#halvedAfter) this.#throttlesInRow = 0;
    if (this.#sick && attempt.id > this.#sickAfter) {
      this.#sick = false;
      this.#window.restart();
    }
    this.#window.completed(nowMs);
  }

  /** Refused, or answered with a 5xx. */
  failed(attempt: SentAttempt, nowMs: number): void {
    this.#failuresInRow += 1;
    if (this.#sick) {
      if (attempt.probe) this.#probeLater(nowMs);
    } else if (this.#failuresInRow >= Math.max(LANE_FAILURES_SICK, this.#window.size * SICK_PART)) {
      this.#sick = true;
      this.#sickAfter = this.#lastSent;
      this.#probesFailed = 0;
      this.#probeLater(nowMs);
    }
  }

  /** Answered with 429 or 529. */
  throttled(attempt: SentAttempt, retryAfterMs: number | null, nowMs: number): void {
    if (this.#sick && attempt.probe) this.#probeLater(nowMs);
    const noise = Math.max(THROTTLES_NOISE, this.#window.size * THROTTLES_NOISE_PART);
    this.#throttleDebt = Math.min(this.#throttleDebt + 1, 2 * noise);
    if (retryAfterMs === null && this.#throttleDebt <= noise && !this.#probing()) return;
    const first = this.#cut(attempt);
    if (first) this.#throttlesInRow += 1;
    if (retryAfterMs !== null) {
      const waitMs = Math.min(retryAfterMs, LANE_PAUSE_MAX_MS);
      this.pauseUntil(nowMs + waitMs * (1 + JITTER * this.#chance()), nowMs);
    } else if (first) {
      const waitMs = Math.min(LANE_PROBE_MAX_MS, LANE_PAUSE_BASE_MS * 2 ** (this.#throttlesInRow - 1));
      this.pauseUntil(nowMs + waitMs * (1 + JITTER * this.#chance()), nowMs);
    }
  }

  timedOut(attempt: SentAttempt, nowMs: number): void {
    if (this.#sick && attempt.probe) this.#probeLater(nowMs);
    this.#cut(attempt);
  }

  pauseUntil(untilMs: number, nowMs: number): void {
    const latestMs = nowMs + LANE_PAUSE_MAX_MS * (1 + JITTER);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, Math.min(untilMs, latestMs));
  }

  /** Halves the window, once a round trip; says whether it did. */
  #cut(attempt: SentAttempt): boolean {
    if (attempt.id <= this.#halvedAfter) return false;
    this.#halvedAfter = this.#lastSent;
    this.#window.halve();
    return true;
  }

  #probing(): boolean {
    return this.#sick || this.#throttlesInRow >= THROTTLES_STORM;
  }

  /** While probing, attempts of better days may still hang; they must not keep the probe from going. */
  #hasRoom(reserved: number): boolean {
    if (!this.#probing()) return this.#inFlight + reserved < this.#window.size;
    return this.#probes === 0 && this.#inFlight < this.#settings.concurrency;
  }

  #probeLater(nowMs: number): void {
    const waitMs = Math.min(LANE_PROBE_MAX_MS, LANE_PROBE_BASE_MS * 2 ** this.#probesFailed);
    this.#probesFailed += 1;
    this.#probeAtMs = nowMs + waitMs * (0.5 + 0.5 * this.#chance());
  }

  #setBudgets(nowMs: number): void {
    const { requestsPerMinute, tokensPerMinute } = this.#settings;
    this.#requests = requestsPerMinute === null ? null : new Budget(requestsPerMinute, nowMs);
    this.#tokens = tokensPerMinute === null ? null : new Budget(tokensPerMinute, nowMs);
  }
}
