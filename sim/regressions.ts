/** Seeds that once broke a promise. A seed names a history only as long as nothing draws differently; the notes outlive that. */

export type Regression = { readonly seed: number; readonly note: string };

export const regressions: readonly Regression[] = [
  { seed: 8, note: 'replayed errored lines were counted as usage' },
  { seed: 9, note: 'a second span came after the scheduler had forgotten its closing batch' },
  { seed: 41, note: 'after a jump of the clock a node claimed what it held and bought it again' },
  { seed: 256, note: 'the jump fell between the renewal and the look for free work' },
  { seed: 401, note: 'a lease was taken over between reading what is held and renewing it' },
  { seed: 748, note: 'a holder that did not hear that its lease had passed on went on sending' },
];
