/** The one splice in what goes out: the value of `model`, where the configuration maps the name. Every other byte stays. */
import { asBuffer } from './ascii.ts';
import { keyIs, members } from './json.ts';

/** `params` must be a validated JSON object. Of duplicate keys the last one counts, as it does for every JSON reader. */
export function spliceModel(params: Uint8Array, model: string): Uint8Array {
  const place = { start: -1, end: -1 };
  members(params, 0, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (!keyIs(params, keyStart, keyEnd, 'model')) return;
    place.start = valueStart;
    place.end = valueEnd;
  });
  if (place.start < 0) return params;
  const bytes = asBuffer(params);
  return Buffer.concat([bytes.subarray(0, place.start), Buffer.from(JSON.stringify(model)), bytes.subarray(place.end)]);
}
