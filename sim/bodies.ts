/** Bodies of create calls, drawn from chance: some requests faulty, some refused by the upstream, several models, some with a cached prefix. */
import { INLINE_SEGMENTS_BYTES_MAX } from '../src/domain/limits.ts';
import type { Random } from './random.ts';
import type { RowKind } from './ledger.ts';
import { marker } from './upstream.ts';

export type DrawnBody = { readonly text: string; readonly rows: ReadonlyMap<string, RowKind> };

export function drawBody(random: Random, token: string): DrawnBody {
  const count = drawCount(random);
  const models = random.integer(1, 3);
  const families = random.chance(0.2) ? random.integer(1, 3) : 0;
  const rows = new Map<string, RowKind>();
  // Small batches lie in the catalog; half of them are made too large for it by one long request.
  const longOrdinal = random.chance(0.5) ? random.integer(0, count - 1) : null;
  const requests: string[] = [];
  for (let ordinal = 0; ordinal < count; ordinal++) {
    const customId = `row-${ordinal}`;
    const kind: RowKind = random.chance(0.04) ? 'faulty' : random.chance(0.04) ? 'bad' : 'normal';
    rows.set(customId, kind);
    const model = `model-${random.integer(1, models)}`;
    const length = random.integer(0, 100) + (ordinal === longOrdinal ? INLINE_SEGMENTS_BYTES_MAX : 0);
    const text = `${marker(token, customId, kind)} ${'y'.repeat(length)}`;
    const cached = {
      type: 'text',
      text: `prefix ${random.integer(1, families)}`,
      cache_control: { type: 'ephemeral' },
    };
    const params = {
      model,
      // One that names no number can never be sent.
      max_tokens: kind === 'faulty' ? 'many' : 16,
      ...(families > 0 ? { system: [cached] } : {}),
      messages: [{ role: 'user', content: text }],
    };
    requests.push(JSON.stringify({ custom_id: customId, params }));
  }
  return { text: `{"requests":[${requests.join(',')}]}`, rows };
}

function drawCount(random: Random): number {
  if (random.chance(0.02)) return 2_500;
  if (random.chance(0.15)) return random.integer(100, 300);
  return random.integer(1, 40);
}

/** Streams a body in pieces; one that breaks off ends with an error, as a closed socket does. */
export async function* streamBody(parts: {
  text: string;
  pieces: number;
  breaksOffAt: number | null;
  pause: () => Promise<void>;
  onBreak: () => void;
}): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(parts.text);
  const size = Math.ceil(bytes.length / parts.pieces);
  for (let piece = 0; piece < parts.pieces; piece++) {
    await parts.pause();
    if (piece === parts.breaksOffAt) {
      parts.onBreak();
      throw new Error('the socket was closed');
    }
    yield bytes.subarray(piece * size, (piece + 1) * size);
  }
}
