/** Stops the sending when too many answers are errors: a template that fails on every row should fail on few. */
import { BREAKER_ANSWERS_MIN } from '../limits.ts';
import type { Lanes } from './parts.ts';

export function stopsByErrorRate({ parts, halt }: Pick<Lanes, 'parts' | 'halt'>): void {
  const rate = parts.spec.policy.stopIfErrorRate;
  if (rate === null) return;
  const { answers, errors } = parts.ledger.read.answers();
  if (answers < BREAKER_ANSWERS_MIN || errors / answers <= rate) return;
  const percent = Math.round((100 * errors) / answers);
  halt({
    kind: 'breaker',
    message: `${percent} % of ${answers} answers are errors, more than the ${Math.round(100 * rate)} % allowed`,
  });
}
