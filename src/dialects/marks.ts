/** The rules about what is marked for the cache: how many marks there are, and that those for an hour come first. */
import { elements, skip } from '../bytes/json.ts';
import { BREAKPOINTS_MAX } from '../domain/limits.ts';
import { isList, isObject, isString, isText, type Judging } from './judge-values.ts';
import { keysOf, locate, walkMembers, type Range } from './members.ts';

export type Marked = {
  /** Where the params begin. */
  readonly start: number;
  /** What a cache sees, in its order; a part that is not there starts at -1. */
  readonly sections: readonly Readonly<Range>[];
};

/** Adds the mark of `cache_control` beside `messages`, and says which rule is broken. */
export function brokenMarks(judging: Judging, { start, sections }: Marked): string | null {
  const { marks, hourMarks, bytes } = judging;
  const isHour = judging.automaticMark === '1h';
  const last = judging.automaticMark === null ? -1 : lastCacheable(bytes, judging.lastContent);
  if (last !== -1 && marks.includes(last)) {
    const wasHour = hourMarks.includes(last);
    if (wasHour !== isHour) return differentLifetimes(isHour, wasHour);
  } else if (last !== -1) {
    marks.push(last);
    if (isHour) hourMarks.push(last);
  }
  if (marks.length > BREAKPOINTS_MAX) {
    return `A maximum of ${BREAKPOINTS_MAX} blocks with cache_control may be provided. Found ${marks.length}.`;
  }
  const late = hourMarks.length === 0 ? undefined : firstLateHour(judging, sections);
  if (late === undefined) return null;
  const path = late === last ? '' : `${pathTo(bytes, start, late)}.`;
  return (
    `${path}cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. ` +
    'Note that blocks are processed in the following order: `tools`, `system`, `messages`.'
  );
}

function differentLifetimes(isHour: boolean, wasHour: boolean): string {
  const [own, given] = [isHour, wasHour].map((hour) => (hour ? '1h' : '5m'));
  return `Top-level cache_control has ttl='${own}' but the target block already has cache_control with ttl='${given}'`;
}

/** Where a mark for an hour ends that comes after one for five minutes. */
function firstLateHour({ marks, hourMarks }: Judging, sections: readonly Readonly<Range>[]): number | undefined {
  const inOrder = sections.flatMap(({ start, end }) =>
    marks.filter((mark) => mark > start && mark < end).sort((left, right) => left - right),
  );
  const firstShort = inOrder.findIndex((mark) => !hourMarks.includes(mark));
  return firstShort === -1 ? undefined : inOrder.slice(firstShort).find((mark) => hourMarks.includes(mark));
}

const blockKeys = keysOf('type', 'text');

/** Where the last block of a content ends that can be cached, or -1: thinking and empty texts cannot. */
function lastCacheable(bytes: Buffer, content: number): number {
  if (content === -1) return -1;
  if (isString(bytes, content)) return skip(bytes, content);
  let last = -1;
  elements(bytes, content, (_index, start, end) => {
    const [type, text] = locate(bytes, blockKeys, { at: start }).found;
    const isEmpty = isText(bytes, type, 'text') && isText(bytes, text, '');
    const isThinking = isText(bytes, type, 'thinking') || isText(bytes, type, 'redacted_thinking');
    if (!isEmpty && !isThinking) last = end;
  });
  return last;
}

/** The path from the object at `at` to the value inside it that ends at `target`. */
function pathTo(bytes: Buffer, at: number, target: number): string {
  const steps: string[] = [];
  for (let inside = childAt(bytes, at, target); inside !== null; inside = childAt(bytes, inside.start, target)) {
    steps.push(inside.name);
    if (inside.end === target) break;
  }
  return steps.join('.');
}

type Child = { readonly name: string; readonly start: number; readonly end: number };

function childAt(bytes: Buffer, at: number, target: number): Child | null {
  let child: Child | null = null;
  const look = (name: () => string, start: number, end: number): number => {
    if (start < target && target <= end) child = { name: name(), start, end };
    return end;
  };
  if (isObject(bytes, at)) {
    walkMembers(bytes, at, (keyStart, keyEnd, start) =>
      look(() => bytes.toString('utf8', keyStart, keyEnd), start, skip(bytes, start)),
    );
  } else if (isList(bytes, at)) {
    elements(bytes, at, (index, start, end) => look(() => String(index), start, end) < target);
  }
  return child;
}
