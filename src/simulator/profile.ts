/** How a simulated provider behaves over time: its pace, its limits and its faults, by the name of a profile. */
import { hashBytes, startDraw, type Draw, type Lanes } from './draw.ts';
import { faultNamed, internal, overloaded, type Fault } from './faults.ts';
import { createRateLimits, type RateLimits } from './rate-limits.ts';

export const profileNames = ['steady', 'slow', 'throttled', 'flaky', 'brown-out', 'hanging', 'garbage'] as const;
export type ProfileName = (typeof profileNames)[number];

/** Medians; what is drawn around them depends on the request alone. */
export type Pace = { readonly firstTokenMs: number; readonly perTokenMs: number; readonly sigma: number };

export type Profile = {
  readonly pace: Pace;
  /** Calls of ten thousand that meet one of the faults, drawn by the order of the calls: a repeated call may fare better. */
  readonly faults: { readonly perTenThousand: number; readonly of: readonly Fault[] } | null;
  /** A part of every period in which all calls are turned away, counted from the first call. */
  readonly brownOut: { readonly periodMs: number; readonly goodMs: number } | null;
  readonly limits: RateLimits | null;
};

const atOnce: Pace = { firstTokenMs: 0, perTokenMs: 0, sigma: 0 };
const steady: Profile = { pace: atOnce, faults: null, brownOut: null, limits: null };
const named = (name: Parameters<typeof faultNamed>[0]): Fault => faultNamed(name) ?? internal;

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  steady,
  slow: { ...steady, pace: { firstTokenMs: 2_000, perTokenMs: 25, sigma: 0.5 } },
  throttled: {
    ...steady,
    limits: {
      requestsPerMinute: 600,
      requestsAtOnce: 60,
      inputTokensPerMinute: 400_000,
      outputTokensPerMinute: 80_000,
    },
  },
  flaky: { ...steady, faults: { perTenThousand: 100, of: [internal, overloaded, named('reset')] } },
  'brown-out': { ...steady, brownOut: { periodMs: 30_000, goodMs: 20_000 } },
  hanging: { ...steady, faults: { perTenThousand: 100, of: [named('hang')] } },
  garbage: {
    ...steady,
    faults: { perTenThousand: 500, of: [named('garbage'), named('half_json'), named('empty'), named('cut')] },
  },
};

/** What a call meets before anybody reads it. */
export type Gate = {
  /** Null lets it through. */
  turnAway(call: { readonly nowMs: number; readonly inputTokens: number }): Fault | null;
  /** What an answer used, and the headers that say what is left; none where nothing is limited. */
  account(call: { readonly nowMs: number; readonly outputTokens: number }): Readonly<Record<string, string>> | null;
};

export function createGate(profile: Profile, seed: Lanes): Gate {
  const draw: Draw = startDraw(hashBytes(Buffer.from('faults'), seed));
  const limits = profile.limits === null ? null : createRateLimits(profile.limits);
  let startMs: number | null = null;
  return {
    turnAway(call) {
      startMs ??= call.nowMs;
      const { brownOut, faults } = profile;
      if (brownOut !== null && (call.nowMs - startMs) % brownOut.periodMs >= brownOut.goodMs) return overloaded;
      if (faults !== null && draw.word() % 10_000 < faults.perTenThousand) return draw.pick(faults.of);
      return limits?.turnAway(call) ?? null;
    },
    account: (call) => limits?.account(call) ?? null,
  };
}
