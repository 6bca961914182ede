/** The custom_id of the first line of a batch's results: read, and the connection closed. */
import type { BatchApi } from '../contract.ts';
import { RAW_LINE_BYTES_MAX } from '../limits.ts';
import { LINE_FEED } from '../../bytes/ascii.ts';

/** Null when there is no line, or none with an id. */
export async function firstCustomId(api: BatchApi, id: string, signal: AbortSignal): Promise<string | null> {
  const { body } = await api.results({ id, from: 0, etag: null, signal });
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (piece.includes(LINE_FEED) || bytes > RAW_LINE_BYTES_MAX) break;
  }
  const text = Buffer.concat(pieces).toString('utf8');
  return customIdIn(text.slice(0, text.indexOf('\n') + 1 || undefined));
}

/** Null where the line has none. */
export function customIdIn(line: string): string | null {
  try {
    const result = JSON.parse(line) as { custom_id?: unknown };
    return typeof result.custom_id === 'string' ? result.custom_id : null;
  } catch {
    return null;
  }
}
