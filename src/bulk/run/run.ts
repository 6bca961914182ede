/**
 * A run under way. Its lanes (send, ask, fetch) share nothing but the ledger and a bell; whatever ends the process, a new one goes on from
 * the ledger.
 *
 *   new Run(parts) ─► start() ─► done | halted (budget, credit, …; rows pending) | stopped (interrupted, waited) ─► start() again
 */
import { appendFileSync } from 'node:fs';
import { ApiError, type RunEvent } from '../contract.ts';
import type { BatchRecord, StateCounts } from '../ledger/ledger.ts';
import {
  DOWNLOADS_MAX,
  FLIGHT_MS,
  KEY_KEPT_MS,
  OWNER_BEAT_MS,
  POLL_LOCAL_MS_MAX,
  POLL_LOCAL_MS_MIN,
  POLL_MS_MAX,
  POLL_MS_MIN,
  REFUSED_LOCAL_WAIT_MS,
  REFUSED_WAIT_MS,
  SKEW_MS,
  STAGGER_MS_DEFAULT,
  SWEEP_MS,
  VISIBLE_MS,
} from '../limits.ts';
import { afterRestart, isUnclear } from '../../submit-once/intent.ts';
import { adoptBatches, type Adopted } from './adopt.ts';
import { cutAgain } from './again.ts';
import { Bell } from './bell.ts';
import { spentOn, type Spent } from './budget.ts';
import { Collector } from './collect.ts';
import { DiskFullError, isDiskFull } from './errors.ts';
import type { Halt, Lanes, Pace, RunParts } from './parts.ts';
import { giveUp, Poller } from './poll.ts';
import { chooseAgain } from './retry.ts';
import type { RetryRequest } from './spec.ts';
import { Submitter, inFlightRequests } from './submit.ts';
import { cutCanary, cutForSync, salvageSync, syncStep } from './sync.ts';
import { cutWarm } from './warm.ts';

export type RunEnd =
  /** Every row is final. */
  | { readonly kind: 'done'; readonly counts: StateCounts }
  /** Everything is durably submitted (`until: 'submitted'`), and nothing else was asked for. */
  | { readonly kind: 'submitted'; readonly counts: StateCounts }
  /** Nothing is in flight, and nothing more will be sent: rows are pending. */
  | { readonly kind: 'halted'; readonly why: Halt; readonly counts: StateCounts }
  /** By `stop`, or because the time to wait is over: batches may run on. */
  | { readonly kind: 'stopped'; readonly why: 'interrupted' | 'waited'; readonly counts: StateCounts };

export type RunStatus = {
  readonly counts: StateCounts;
  readonly batches: readonly BatchRecord[];
  readonly unclear: number;
  readonly inFlightRequests: number;
  readonly spent: Spent;
};

export class Run {
  readonly parts: RunParts;
  #ending: AbortController | null = null;
  #stopReason: 'interrupted' | 'waited' = 'interrupted';
  #running: Promise<RunEnd> | null = null;
  #halt: ((why: Halt) => void) | null = null;

  constructor(parts: RunParts) {
    this.parts = parts;
  }

  /** Works until every row is final, nothing more may be sent, or it is stopped; throws RunError for what ends a run otherwise. */
  start(options: { readonly waitMs?: number | null; readonly until?: 'done' | 'submitted' } = {}): Promise<RunEnd> {
    this.#running ??= this.#work(options).finally(() => {
      this.#running = null;
      this.#ending = null;
    });
    return this.#running;
  }

  /** Submits nothing more, keeps what has come, and returns; batches run on. */
  async stop(why: 'interrupted' | 'waited' = 'interrupted'): Promise<void> {
    this.#stopReason = why;
    this.#ending?.abort();
    await this.#running?.catch(() => {});
  }

  /** Cancels what is in flight and what was never sent; `start` then fetches what had been answered before. */
  async cancel(signal: AbortSignal): Promise<{ readonly batches: number; readonly rows: number }> {
    const { ledger, api } = this.parts;
    this.#halt?.({ kind: 'canceled', message: 'the run was canceled' });
    const rows = ledger.cancelPending();
    const running = ledger.read.batches().filter(({ state, nonce }) => state === 'running' && nonce !== '');
    for (const { id } of running) {
      try {
        ledger.setBatch(id, { remote: await api.cancel(id, signal) });
      } catch (error) {
        // It has ended meanwhile, or is not known: the next poll tells.
        if (!(error instanceof ApiError) || error.failure.status === null || error.failure.status >= 500) throw error;
      }
    }
    return { batches: running.length, rows };
  }

  /** Puts final rows back to be sent again; `start` sends them. How many. */
  async retry(request: RetryRequest): Promise<number> {
    return chooseAgain(this.parts.ledger, request);
  }

  async adopt(batchIds: readonly string[], signal: AbortSignal): Promise<readonly Adopted[]> {
    return await adoptBatches(this.parts, batchIds, signal);
  }

  /** Rows of a POST that can never be cleared up may be sent again, by a person's order. */
  giveUp(nonce: string): boolean {
    return giveUp(this.parts.ledger, nonce);
  }

  status(): RunStatus {
    const { ledger } = this.parts;
    return {
      counts: ledger.read.counts(),
      batches: ledger.read.batches(),
      unclear: ledger.read.intents().unclear,
      inFlightRequests: inFlightRequests(this),
      spent: spentOn(ledger.read.usage()),
    };
  }

  async #work({
    waitMs = null,
    until = 'done',
  }: {
    readonly waitMs?: number | null;
    readonly until?: 'done' | 'submitted';
  }): Promise<RunEnd> {
    const ending = new AbortController();
    this.#ending = ending;
    let halt: Halt | null = null;
    let failure: { readonly error: unknown } | null = null;
    const bell = new Bell(this.parts.world, ending.signal);
    const lanes: Lanes = {
      parts: this.parts,
      pace: paceOf(this.parts),
      signal: ending.signal,
      bell,
      emit: (event) => this.#emit({ atMs: this.parts.world.nowMs(), ...event } as RunEvent),
      fault: (point) => this.parts.faults?.(point),
      halt: (why) => {
        halt ??= why;
        bell.ring();
      },
      halted: () => halt,
    };
    this.#halt = lanes.halt;
    const callOff = waitMs === null ? null : this.parts.world.after(waitMs, () => void this.stop('waited'));
    const guarded = async (lane: () => Promise<void>): Promise<void> => {
      try {
        await lane();
      } catch (error) {
        failure ??= { error };
        ending.abort();
      }
    };
    await guarded(async () => await begin(lanes));
    const ended = await this.#drive(lanes, { guarded, until });
    callOff?.();
    ending.abort();
    if (failure !== null) throw worded((failure as { readonly error: unknown }).error);
    const counts = this.parts.ledger.read.counts();
    if (!ended) return { kind: 'stopped', why: this.#stopReason, counts };
    if (until === 'submitted' && !isSettled(lanes)) return { kind: 'submitted', counts };
    if (halt !== null && counts.pending > 0) return { kind: 'halted', why: halt, counts };
    lanes.emit({ kind: 'done', counts });
    return { kind: 'done', counts };
  }

  /** True when there was nothing left to do. */
  async #drive(lanes: Lanes, { guarded, until }: Driving): Promise<boolean> {
    const { bell, signal } = lanes;
    const collector = new Collector(lanes);
    const submitter = new Submitter(lanes);
    const poller = new Poller(lanes, (intent) => submitter.repeat(intent));
    let ended = false;
    let beatAtMs = this.parts.world.nowMs();
    const watch = async (): Promise<void> => {
      while (!signal.aborted) {
        ended = until === 'submitted' ? isSubmitted(lanes) : !collector.isBusy() && isSettled(lanes);
        if (ended) {
          this.#ending?.abort();
          return;
        }
        await bell.wait(OWNER_BEAT_MS);
        const nowMs = this.parts.world.nowMs();
        if (nowMs - beatAtMs < OWNER_BEAT_MS && nowMs >= beatAtMs) continue;
        this.parts.ledger.beat();
        beatAtMs = nowMs;
      }
    };
    await Promise.all([
      guarded(async () => await sendLane(lanes, submitter)),
      guarded(async () => await askLane(lanes, poller)),
      ...Array.from({ length: DOWNLOADS_MAX }, () => guarded(async () => await fetchLane(lanes, collector))),
      guarded(watch),
    ]);
    return ended;
  }

  #emit(event: RunEvent): void {
    try {
      appendFileSync(this.parts.folder.log, `${JSON.stringify(event)}\n`, { mode: 0o600 });
    } catch {
      // The log is for people; the ledger is the truth, and a full disk shows there.
    }
    this.parts.onEvent?.(event);
  }
}

type Driving = { readonly guarded: (lane: () => Promise<void>) => Promise<void>; readonly until: 'done' | 'submitted' };

/** What a restart makes of what was under way. */
async function begin(lanes: Lanes): Promise<void> {
  const { ledger, world, api } = lanes.parts;
  for (const intent of ledger.openIntents()) {
    const next = afterRestart(intent, world.nowMs() + api.clockAheadMs());
    if (next !== intent) ledger.storeIntent(next);
  }
  await salvageSync(lanes);
  cutCanary(lanes);
  cutWarm(lanes);
}

async function sendLane(lanes: Lanes, submitter: Submitter): Promise<void> {
  const { parts, bell, signal } = lanes;
  while (!signal.aborted) {
    const dueMs = await cutAgain(lanes);
    if (parts.spec.batching.sync) cutForSync(lanes);
    if (await syncStep(lanes)) continue;
    const waitMs = await submitter.step();
    if (waitMs === 0) continue;
    bell.ring();
    await bell.wait(soonest(waitMs, dueMs));
  }
}

async function askLane({ bell, signal }: Lanes, poller: Poller): Promise<void> {
  while (!signal.aborted) {
    const waitMs = await poller.step();
    if (waitMs === null) await bell.wait(null);
    else await bell.pause(waitMs);
  }
}

async function fetchLane({ bell, signal }: Lanes, collector: Collector): Promise<void> {
  while (!signal.aborted) {
    if (!(await collector.step())) await bell.wait(null);
  }
}

function isSubmitted({ parts, halted }: Lanes): boolean {
  const { ledger } = parts;
  return halted() !== null || (ledger.chunks('waiting').length === 0 && ledger.openIntents().length === 0);
}

/** Nothing is in flight, and nothing waits that may still be sent. */
function isSettled({ parts, halted }: Lanes): boolean {
  const { ledger } = parts;
  if (ledger.read.batches().some(({ state }) => state === 'running' || state === 'ended' || state === 'kept'))
    return false;
  if (ledger.openIntents().some((intent) => isUnclear(intent) || intent.state !== 'planned')) return false;
  return halted() !== null || (ledger.chunks('waiting').length === 0 && ledger.read.againCount() === 0);
}

export function paceOf({ spec, pace }: Pick<RunParts, 'spec' | 'pace'>): Pace {
  const isLocal = isLocalAddress(spec.api.baseUrl);
  return {
    staggerMs: spec.batching.staggerMs ?? (isLocal ? 0 : STAGGER_MS_DEFAULT),
    refusedWaitMs: isLocal ? REFUSED_LOCAL_WAIT_MS : REFUSED_WAIT_MS,
    pollMinMs: isLocal ? POLL_LOCAL_MS_MIN : POLL_MS_MIN,
    pollMaxMs: isLocal ? POLL_LOCAL_MS_MAX : POLL_MS_MAX,
    bounds: { flightMs: FLIGHT_MS, visibleMs: VISIBLE_MS, skewMs: SKEW_MS, keyKeptMs: KEY_KEPT_MS, sweepMs: SWEEP_MS },
    ...pace,
  };
}

function isLocalAddress(url: string): boolean {
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function soonest(left: number | null, right: number | null): number | null {
  if (left === null) return right;
  return right === null ? left : Math.min(left, right);
}

function worded(error: unknown): unknown {
  return isDiskFull(error) ? new DiskFullError('the run', error) : error;
}
