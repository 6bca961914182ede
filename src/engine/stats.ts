/** How the engine stands, for gauges and the simulation. */
import type { LaneStats } from '../scheduler/messages.ts';
import type { Backlog } from './backlog.ts';

export type EngineStats = Backlog & {
  readonly lanes: readonly LaneStats[];
  readonly inFlight: number;
  readonly unsealedBytes: number;
  /** By the wall clock, of this process; null before the first. */
  readonly lastSealMs: number | null;
  readonly unsyncedLines: number;
  readonly unsyncedBytes: number;
  readonly messagesWaiting: number;
  /** Why nothing is sent: unsynced, unsealed, journal, chunks, lease. */
  readonly pausedBy: readonly string[];
};
