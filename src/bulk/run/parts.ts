/** What a run is made of, and what its lanes share: all that touches the world is given in, so that a test can be the world. */
import type { BatchApi, Prompt, RunEvent, Source } from '../contract.ts';
import type { Ledger } from '../ledger/writer.ts';
import type { Identity } from '../api/connection.ts';
import type { Bounds } from '../../submit-once/reconcile.ts';
import type { Bell } from './bell.ts';
import type { RunFolder } from './folder.ts';
import type { RunSpec } from './spec.ts';
import type { World } from './world.ts';

/** Points of the protocol at which a test may end the process. */
export type FaultPoint =
  | 'before-intent'
  | 'planned'
  | 'sending'
  | 'posted'
  | 'settled'
  | 'ended'
  | 'downloaded'
  | 'kept'
  | 'applied'
  | 'finished'
  | 'cut-again'
  | 'resolved';

export type Pace = {
  readonly staggerMs: number;
  /** After a refusal or a failure that says nothing of when to come again; doubled each time. */
  readonly refusedWaitMs: number;
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  readonly bounds: Bounds;
};

export type RunParts = {
  readonly folder: RunFolder;
  readonly spec: RunSpec;
  readonly ledger: Ledger;
  readonly source: Source;
  readonly prompt: Prompt;
  /** `identity`: who the API says we are, where it does. */
  readonly api: BatchApi & { identity?(): Identity };
  readonly world: World;
  readonly pace?: Partial<Pace>;
  readonly randomBytes?: (count: number) => Uint8Array;
  readonly onEvent?: (event: RunEvent) => void;
  readonly faults?: (point: FaultPoint) => void;
};

/** Why nothing more is submitted, while what is in flight is still fetched. */
export type Halt = {
  readonly kind: 'budget' | 'credit' | 'breaker' | 'canary' | 'blocked' | 'canceled';
  readonly message: string;
};

/** An event without its time. */
export type Told = RunEvent extends infer Event ? (Event extends RunEvent ? Omit<Event, 'atMs'> : never) : never;

/** Shared by the lanes of one start. */
export type Lanes = {
  readonly parts: RunParts;
  readonly pace: Pace;
  /** Aborted when the run stops, for whatever reason. */
  readonly signal: AbortSignal;
  /** Rung when something changed that another lane may be waiting for. */
  readonly bell: Bell;
  readonly emit: (event: Told) => void;
  readonly fault: (point: FaultPoint) => void;
  readonly halt: (why: Halt) => void;
  readonly halted: () => Halt | null;
};
