/** Words in a prompt that make the simulator do what a pipeline must be tested with: `[[simulate:NAME]]` in the last user message. */
import type { Fault, FaultName } from './faults.ts';
import { faultNamed } from './faults.ts';

export type Triggers = {
  readonly fault: Fault | null;
  /** So many times the very same request meets the fault; Infinity is always. */
  readonly times: number;
  readonly refuses: boolean;
  readonly redacts: boolean;
  readonly thinks: boolean;
  /** Tokens the text is to have; Infinity is as many as are allowed. */
  readonly tokens: number | null;
  readonly stops: boolean;
  /** A tool to call. */
  readonly tool: string | null;
  readonly latencyMs: number | null;
};

/** The beginning of every word of ours. */
const START = '[[simulate:';
/** What the official documentation gives to test refusals and redacted thinking with. */
const OFFICIAL_START = 'ANTHROPIC_MAGIC_STRING_TRIGGER_';
const OFFICIAL_REFUSAL = `${OFFICIAL_START}REFUSAL_`;
const OFFICIAL_REDACTED = `${OFFICIAL_START}REDACTED_THINKING_`;
const LATENCY_MS_MAX = 3_600_000;

const none: Triggers = {
  fault: null,
  times: Infinity,
  refuses: false,
  redacts: false,
  thinks: false,
  tokens: null,
  stops: false,
  tool: null,
  latencyMs: null,
};

/** Looked for in the whole request first: few hold one, and reading all text of a prompt costs. */
export function mayTrigger(json: string): boolean {
  return json.includes(START) || json.includes(OFFICIAL_START);
}

export function readTriggers(text: string): Triggers {
  let triggers = none;
  if (text.includes(OFFICIAL_REFUSAL)) triggers = { ...triggers, refuses: true };
  if (text.includes(OFFICIAL_REDACTED)) triggers = { ...triggers, redacts: true };
  for (const [, name, argument] of text.matchAll(/\[\[simulate:(\w+)(?: ([\w.-]{1,128}))?\]\]/g)) {
    triggers = withTrigger(triggers, { name, argument });
  }
  return triggers;
}

type Word = { readonly name: string; readonly argument: string | undefined };

function withTrigger(triggers: Triggers, { name, argument }: Word): Triggers {
  const count = argument !== undefined && /^\d{1,9}$/.test(argument) ? Number(argument) : null;
  switch (name) {
    case 'refusal':
      return { ...triggers, refuses: true };
    case 'redacted_thinking':
      return { ...triggers, redacts: true };
    case 'thinking':
      return { ...triggers, thinks: true };
    case 'max_tokens':
      return { ...triggers, tokens: Infinity };
    case 'tokens':
      return { ...triggers, tokens: count };
    case 'stop_sequence':
      return { ...triggers, stops: true };
    case 'tool':
      return { ...triggers, tool: argument ?? null };
    case 'latency':
      return { ...triggers, latencyMs: count === null ? null : Math.min(count, LATENCY_MS_MAX) };
    default: {
      // The first fault named is the one that happens.
      const fault = triggers.fault ?? faultNamed(name as FaultName);
      return fault === triggers.fault ? triggers : { ...triggers, fault, times: count ?? Infinity };
    }
  }
}
