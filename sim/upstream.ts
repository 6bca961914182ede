/** The lying upstream: slow, throttling, failing, cutting, hanging, answering garbage. It writes down every call before anything else. */
import { noUsage } from '../src/domain/tally.ts';
import { SendError, type Send, type UpstreamRequest, type UpstreamResponse } from '../src/ports/world.ts';
import { checkCall } from './call-check.ts';
import type { Faults } from './faults.ts';
import type { Call, Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { Life, SimWorld } from './world.ts';

/** How often, of 1, each kind of answer is given. What is left is a good one. */
export type UpstreamMood = {
  readonly latencyMs: number;
  readonly throttled: number;
  readonly overloaded: number;
  readonly broken: number;
  readonly refusedConnection: number;
  readonly cutBefore: number;
  readonly cutAfter: number;
  readonly hangs: number;
  readonly garbage: number;
  readonly truncated: number;
};

const kinds = [
  'throttled',
  'overloaded',
  'broken',
  'refusedConnection',
  'cutBefore',
  'cutAfter',
  'hangs',
  'garbage',
  'truncated',
] as const;
type Kind = (typeof kinds)[number] | 'good';

export type UpstreamParts = {
  readonly world: SimWorld;
  readonly faults: Faults;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly mood: UpstreamMood;
};

export function drawMood(random: Random): UpstreamMood {
  const calm = random.chance(0.4);
  const often = (most: number) => (calm || random.chance(0.5) ? 0 : random.between(0, most));
  return {
    latencyMs: random.pick([5, 50, 500, 5_000]),
    throttled: often(0.2),
    overloaded: often(0.1),
    broken: often(0.2),
    refusedConnection: often(0.2),
    cutBefore: often(0.1),
    cutAfter: often(0.2),
    hangs: often(0.02),
    garbage: often(0.2),
    truncated: often(0.1),
  };
}

/** Whose price has two bands: a prompt in ten is long enough for the second. Picodollars a token. */
export const ANSWERING_MODEL = {
  name: 'claude-haiku-5-5',
  shortPromptMax: 100_000,
  rates: [
    { input: 100_000n, output: 500_000n },
    { input: 500_000n, output: 2_500_000n },
  ],
} as const;

/** What is in the text of every request: its creation's token, its custom_id and its kind. */
export function marker(token: string, customId: string, kind: string): string {
  return `@@${token}/${customId}/${kind}@@`;
}

const markerPattern = /@@(\w+)\/([\w-]+)\/(\w+)@@/;

/** The network as one life of a node has it. */
export function sendOf(parts: UpstreamParts, life: Life): Send {
  return (request) => {
    if (request.signal.aborted) return Promise.reject(request.signal.reason as Error);
    const found = markerPattern.exec(Buffer.from(request.body).toString('utf8'));
    if (!found) {
      parts.world.violate('honest lines', 'the upstream received bytes that are no request');
      return Promise.reject(new SendError('garbled', { sent: true }));
    }
    const call = parts.ledger.called({ token: found[1]!, customId: found[2]!, life });
    checkCall(parts.ledger, call);
    return answer(parts, { call, kind: found[3]!, request });
  };
}

function answer(
  parts: UpstreamParts,
  made: { call: Call; kind: string; request: UpstreamRequest },
): Promise<UpstreamResponse> {
  const { world } = parts;
  const { call, request } = made;
  const what = draw(parts);
  return new Promise((resolve, reject) => {
    const end = (state: Call['state'], how: () => void) => {
      request.signal.removeEventListener('abort', onAbort);
      call.life.deliver(() => {
        call.state = state;
        call.heardMs = world.nowMs;
        how();
      });
    };
    const cancel =
      what === 'hangs'
        ? () => undefined
        : world.after(latency(parts, what), () => give(parts, { ...made, what, end, resolve, reject }));
    const onAbort = () => {
      cancel();
      end('aborted', () => reject(request.signal.reason as Error));
    };
    request.signal.addEventListener('abort', onAbort, { once: true });
  });
}

function draw({ world, faults, random, mood }: UpstreamParts): Kind {
  if (faults.active('brown-out', world.nowMs)) return random.pick(['overloaded', 'refusedConnection', 'broken']);
  let at = random.next();
  if (faults.over) return 'good';
  for (const kind of kinds) {
    at -= mood[kind];
    if (at < 0) return kind;
  }
  return 'good';
}

function latency({ random, mood, faults }: UpstreamParts, what: Kind): number {
  if (what === 'refusedConnection') return 1;
  return random.latency(faults.over ? Math.min(50, mood.latencyMs) : mood.latencyMs);
}

type Giving = {
  readonly call: Call;
  readonly kind: string;
  readonly request: UpstreamRequest;
  readonly what: Kind;
  readonly end: (state: Call['state'], how: () => void) => void;
  readonly resolve: (response: UpstreamResponse) => void;
  readonly reject: (error: Error) => void;
};

function give(parts: UpstreamParts, giving: Giving): void {
  const { what, end, resolve, reject } = giving;
  const fail = (status: number, headers: Record<string, string>) => {
    const text = JSON.stringify({ type: 'error', error: { type: 'api_error', message: `status ${status}` } });
    end('unpaid', () => resolve(response(status, headers, text)));
  };
  switch (what) {
    case 'throttled':
      return fail(429, parts.random.chance(0.5) ? { 'retry-after': String(parts.random.integer(0, 3)) } : {});
    case 'overloaded':
      return fail(529, {});
    case 'broken':
      return fail(500, {});
    case 'refusedConnection':
      return end('unpaid', () => reject(new SendError('connection refused', { sent: false })));
    case 'cutBefore':
    case 'cutAfter':
      return end('perhaps', () => reject(new SendError('connection reset', { sent: true })));
    case 'garbage':
      return end('perhaps', () => resolve(response(200, {}, '<html>ok</html>')));
    case 'truncated':
      return end('perhaps', () => resolve({ ...response(200, {}, ''), body: cutBody }));
    case 'hangs':
      return;
    case 'good':
      return giveGood(parts, giving);
  }
}

function giveGood({ random }: UpstreamParts, { call, kind, end, resolve }: Giving): void {
  if (kind === 'bad') {
    call.error = { type: 'invalid_request_error', message: `no ${call.id}` };
    return end('refused', () => resolve(response(400, {}, JSON.stringify({ type: 'error', error: call.error }))));
  }
  const drawn = random.integer(1, 1_000);
  const usage = { input_tokens: drawn % 10 === 0 ? drawn * 1_000 : drawn, output_tokens: random.integer(1, 1_000) };
  const content = [{ type: 'text', text: `${call.customId} ${'x'.repeat(random.integer(0, 60))}` }];
  const message = {
    id: call.id,
    type: 'message',
    role: 'assistant',
    model: ANSWERING_MODEL.name,
    content,
    stop_reason: 'end_turn',
    usage,
  };
  call.answer = { message, usage: { ...noUsage, inputTokens: usage.input_tokens, outputTokens: usage.output_tokens } };
  end('message', () => resolve(response(200, {}, JSON.stringify(message))));
}

function response(status: number, headers: Record<string, string>, text: string): UpstreamResponse {
  const bytes = Buffer.from(text);
  return {
    status,
    headers,
    body: {
      bytes: () => Promise.resolve(bytes),
      async *stream() {
        yield bytes;
      },
    },
  };
}

const cutBody: UpstreamResponse['body'] = {
  bytes: () => Promise.reject(new SendError('connection reset', { sent: true })),
  stream() {
    throw new SendError('connection reset', { sent: true });
  },
};
