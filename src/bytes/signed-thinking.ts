/** Takes thinking of one signature out of a conversation; every other byte stays. */
import { asBuffer, OPEN_LIST, QUOTE } from './ascii.ts';
import { elements, keyIs, members } from './json.ts';

type Range = { readonly start: number; readonly end: number };

/** `params` must be a validated JSON object, `signature` plain ASCII. What does not hold it is returned as it is. */
export function withoutThinking(params: Uint8Array, signature: string): Uint8Array {
  const bytes = asBuffer(params);
  if (!bytes.includes(signature)) return params;
  const pieces: Buffer[] = [];
  let from = 0;
  eachContent(bytes, (list) => {
    const blocks: Range[] = [];
    elements(bytes, list.start, (_index, start, end) => void blocks.push({ start, end }));
    const kept = blocks.filter((block) => !isSigned({ bytes, block, signature }));
    if (kept.length === blocks.length) return;
    const inner = kept.map(({ start, end }) => bytes.toString('latin1', start, end)).join(',');
    pieces.push(bytes.subarray(from, list.start), Buffer.from(`[${inner}]`, 'latin1'));
    from = list.end;
  });
  return from === 0 ? params : Buffer.concat([...pieces, bytes.subarray(from)]);
}

/** The content of each message, where it is a list. */
function eachContent(bytes: Buffer, visit: (list: Range) => void): void {
  members(bytes, 0, (keyStart, keyEnd, valueStart) => {
    if (!keyIs(bytes, keyStart, keyEnd, 'messages') || bytes[valueStart] !== OPEN_LIST) return;
    elements(bytes, valueStart, (_index, start) => {
      members(bytes, start, (nameStart, nameEnd, contentStart, contentEnd) => {
        if (keyIs(bytes, nameStart, nameEnd, 'content') && bytes[contentStart] === OPEN_LIST)
          visit({ start: contentStart, end: contentEnd });
      });
    });
  });
}

type Looked = { readonly bytes: Buffer; readonly block: Range; readonly signature: string };

function isSigned({ bytes, block, signature }: Looked): boolean {
  let found = false;
  members(bytes, block.start, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (bytes[valueStart] !== QUOTE || !keyIs(bytes, keyStart, keyEnd, 'signature')) return;
    found = keyIs(bytes, valueStart + 1, valueEnd - 1, signature);
  });
  return found;
}
