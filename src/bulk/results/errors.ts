/** What went wrong, told once for each kind: messages that differ only in numbers and ids are one, with the command that may fix it. */
import type { ItemState } from '../contract.ts';
import type { ErrorGroup, LedgerReader } from '../ledger/ledger.ts';
import { ERROR_GROUPS_MAX } from '../limits.ts';
import { reasonOf } from './answer.ts';
import { failedStates } from './export.ts';
import { isBlocking } from './verdict.ts';

export type ErrorReport = {
  readonly state: ItemState;
  readonly type: string;
  /** With its numbers and ids as `…`, where more than one message was folded into it. */
  readonly message: string;
  readonly rows: number;
  readonly sampleKey: string;
  readonly command: string;
};

export function errorReports(
  ledger: Pick<LedgerReader, 'errorGroups' | 'counts' | 'items' | 'item'>,
  run: string,
): readonly ErrorReport[] {
  const folded = foldGroups(ledger.errorGroups().filter(({ state }) => failedStates.includes(state)));
  const told = new Map<ItemState, number>();
  for (const { state, rows } of folded) told.set(state, (told.get(state) ?? 0) + rows);
  const silent = failedStates.flatMap((state) => silentGroup(ledger, { state, told: told.get(state) ?? 0 }));
  return [...folded, ...silent]
    .toSorted((left, right) => right.rows - left.rows)
    .map(({ sampleSeq, ...group }) => {
      const sampleKey = ledger.item(sampleSeq)?.key ?? String(sampleSeq + 1);
      return { ...group, sampleKey, command: commandFor(group, { run, sampleKey }) };
    });
}

/** Rows whose state says it all: no message was kept with them. */
function silentGroup(
  ledger: Pick<LedgerReader, 'counts' | 'items'>,
  { state, told }: { state: ItemState; told: number },
): ErrorGroup[] {
  const rows = ledger.counts()[state] - told;
  const sample = rows > 0 && told === 0 ? ledger.items({ states: [state], limit: 1 })[0] : undefined;
  const reason = reasonOf(state, null);
  return sample === undefined || reason === null ? [] : [{ ...reason, state, rows, sampleSeq: sample.seq }];
}

export function foldGroups(groups: readonly ErrorGroup[]): readonly ErrorGroup[] {
  const folded = new Map<string, ErrorGroup>();
  for (const group of groups) {
    const form = folded.size < ERROR_GROUPS_MAX ? foldMessage(group.message) : 'other messages';
    const name = `${group.state} ${group.type} ${form}`;
    const before = folded.get(name);
    if (before === undefined) folded.set(name, { ...group });
    else {
      const message = before.message === group.message ? before.message : form;
      folded.set(name, {
        ...before,
        message,
        rows: before.rows + group.rows,
        sampleSeq: Math.min(before.sampleSeq, group.sampleSeq),
      });
    }
  }
  return [...folded.values()];
}

/** Ids (a word with a digit in it, of some length) and numbers become `…`. Names of models stay, because they are what is wrong. */
export function foldMessage(message: string): string {
  return message
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '…')
    .replace(/\b(?:msg|msgbatch|req|workerreq|file|toolu)_\w+/g, '…')
    .replace(/(?<![\w.-])\d+(?:[.,:]\d+)*(?![\w-])/g, '…')
    .replace(/(?<=\.)\d+(?=\.|:)/g, '…');
}

function commandFor(
  { state, type, message }: Pick<ErrorGroup, 'state' | 'type' | 'message'>,
  { run, sampleKey }: { run: string; sampleKey: string },
): string {
  if (isBlocking(type)) return 'nightshift doctor';
  if (type === 'not_sent') return `nightshift show ${quoted(run)} ${quoted(sampleKey)}`;
  const retry = `nightshift retry ${quoted(run)} --only ${state}`;
  if (/too long|too many tokens|exceeds? .*context/i.test(message))
    return `${retry} --error 'too long' --truncate COLUMN=4000t`;
  if (type === 'request_too_large') return `${retry} --truncate COLUMN=4000t`;
  if (type === 'not_found_error' && /model/.test(message)) return `${retry} --model NAME`;
  if (/max_tokens/.test(message) && state === 'rejected') return `${retry} --error max_tokens --max-tokens N`;
  if (state === 'truncated') return `${retry} --max-tokens N`;
  if (state === 'invalid' || state === 'refused') return `${retry} --model NAME`;
  return state === 'rejected' || state === 'incomplete' ? `nightshift show ${quoted(run)} ${quoted(sampleKey)}` : retry;
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
