/** One result as a program reads it: what became of an item, told by `status`. */
import type { Usage } from '../domain/tally.ts';
import type { OutputRow } from './contract.ts';

type Common<Item> = {
  readonly item: Item;
  readonly key: string;
  readonly index: number;
  readonly attempts: number;
  readonly batchId: string | null;
  readonly usage: Usage | null;
};

type Failure = { readonly type: string; readonly message: string };

/** The API's message as it came. */
export type Message = Readonly<Record<string, unknown>>;

export type BulkResult<Item, Output = unknown> = Common<Item> &
  (
    | { readonly status: 'ok'; readonly text: string; readonly output: Output; readonly message: Message }
    | {
        readonly status: 'truncated' | 'refused' | 'incomplete' | 'invalid';
        readonly text: string | null;
        readonly message: Message;
        readonly error: Failure;
      }
    | { readonly status: 'rejected' | 'errored' | 'expired' | 'canceled' | 'missing'; readonly error: Failure }
    | { readonly status: 'skipped' }
  );

export function resultOf<Item, Output>(row: OutputRow, item: Item): BulkResult<Item, Output> {
  const { seq: index, key, attempts, batchId, usage, state, text } = row;
  const common = { item, key, index, attempts, batchId, usage };
  const error = row.error ?? { type: 'unknown_error', message: 'it failed, and nothing says why' };
  switch (state) {
    case 'ok':
      return { ...common, status: state, text: text ?? '', output: row.output as Output, message: messageIn(row) };
    case 'truncated':
    case 'refused':
    case 'incomplete':
    case 'invalid':
      return { ...common, status: state, text, message: messageIn(row), error };
    case 'skipped':
      return { ...common, status: state };
    case 'pending':
    case 'sent':
      throw new Error('a row that waits has no result');
    default:
      return { ...common, status: state, error };
  }
}

function messageIn({ line }: OutputRow): Message {
  if (line === null) return {};
  return (JSON.parse(Buffer.from(line).toString('utf8')) as { result?: { message?: Message } }).result?.message ?? {};
}
