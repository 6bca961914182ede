/** Ranges and validators of a download (RFC 9110, sections 13 and 14). Pure. */

export type Selection =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' }
  | { readonly kind: 'unchanged' };

export type SelectionQuery = {
  readonly range: string | null;
  readonly ifRange: string | null;
  readonly ifNoneMatch: string | null;
  readonly etag: string;
  readonly bytes: number;
};

export function select(query: SelectionQuery): Selection {
  if (query.ifNoneMatch !== null && matchesWeakly(query.ifNoneMatch, query.etag)) return { kind: 'unchanged' };
  if (query.range === null) return { kind: 'whole' };
  // A weak validator or a date never matches here: a part must belong to exactly the bytes the client already has.
  if (query.ifRange !== null && query.ifRange.trim() !== query.etag) return { kind: 'whole' };
  return selectRange(query.range, query.bytes);
}

/** One range of bytes is honoured; several, another unit or bad syntax are ignored, which the RFC allows. */
function selectRange(range: string, bytes: number): Selection {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(range);
  if (match === null) return { kind: 'whole' };
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? { kind: 'whole' } : selectSuffix(Number(last), bytes);
  const start = Number(first);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  if (start >= bytes) return { kind: 'unsatisfiable' };
  return { kind: 'part', start, end: last === '' ? bytes : Math.min(bytes, Number(last) + 1) };
}

function selectSuffix(count: number, bytes: number): Selection {
  if (count === 0 || bytes === 0) return { kind: 'unsatisfiable' };
  return { kind: 'part', start: Math.max(0, bytes - count), end: bytes };
}

function matchesWeakly(candidates: string, etag: string): boolean {
  if (candidates.trim() === '*') return true;
  return candidates.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
}
