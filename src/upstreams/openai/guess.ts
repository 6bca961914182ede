/** Finds out once what kind of server an upstream is, from its list of models; a server that lies, hangs or is away becomes `generic`. */
import { PROFILE_GUESS_MS, PROFILE_GUESSES_MAX } from '../../domain/limits.ts';
import type { Send, Timers } from '../../ports/world.ts';
import { isObject } from './fault.ts';
import { guessProfile, profiles, type Profile, type ProfileName } from './profile.ts';

export type ProfileSource = () => Profile | Promise<Profile>;

export type GuessOptions = {
  /** Its base, without /v1. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly chosen: ProfileName | 'auto';
  readonly send: Send;
  readonly timers: Timers;
};

const LIST_BYTES_MAX = 4 * 1024 * 1024;

/** Known at once where it was chosen, or where the host says it; asked for at the first call elsewhere. */
export function profileSource(options: GuessOptions): ProfileSource {
  const { chosen, base } = options;
  if (chosen !== 'auto') return () => profiles[chosen];
  if (URL.parse(base)?.hostname === 'api.openai.com') return () => profiles.openai;
  let known: Profile | null = null;
  let asking: Promise<Profile> | null = null;
  let asked = 0;
  const ask = async (): Promise<Profile> => {
    const owned = await ownersOf(options);
    asked += 1;
    const profile = profiles[owned === null ? 'generic' : guessProfile(owned)];
    // Who could not be reached is asked again by a later call: it may only have been starting.
    if (owned !== null || asked >= PROFILE_GUESSES_MAX) known = profile;
    asking = null;
    return profile;
  };
  return () => known ?? (asking ??= ask());
}

/** Whose its models are, as it says; an empty list for any other answer, null where none came. */
async function ownersOf({ base, headers, send, timers }: GuessOptions): Promise<readonly unknown[] | null> {
  const controller = new AbortController();
  const cancel = timers.after(PROFILE_GUESS_MS, () => controller.abort(new Error('no list of models came in time')));
  try {
    const request = { method: 'GET', url: `${base}/v1/models`, headers, body: new Uint8Array(0) } as const;
    const response = await send({ ...request, signal: controller.signal });
    const bytes = await response.body.bytes(LIST_BYTES_MAX);
    if (response.status !== 200) return response.status >= 500 ? null : [];
    const list = parsed(bytes);
    const data = isObject(list) && Array.isArray(list['data']) ? (list['data'] as readonly unknown[]) : [];
    return data.map((entry) => (isObject(entry) ? entry['owned_by'] : null));
  } catch {
    return null;
  } finally {
    cancel();
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    return null;
  }
}
