/** What a plan says beside its figures: a quicker way for few rows, chunks that are few or many. */
import { SYNC_ADVICE_ROWS } from '../limits.ts';

export function planAdvice({
  requests,
  sync,
}: {
  readonly requests: number;
  readonly sync: boolean;
}): readonly string[] {
  if (sync || requests === 0 || requests >= SYNC_ADVICE_ROWS) return [];
  const rows = requests === 1 ? 'one request' : `${requests} requests`;
  return [
    `${rows} only: --sync asks the Messages API at once, at twice the price of a batch, and is done before a batch has begun`,
  ];
}
