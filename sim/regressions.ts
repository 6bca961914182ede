/** Seeds that once broke a promise. A seed names a history only as long as nothing draws differently; the notes outlive that. */

export type Regression = { readonly seed: number; readonly note: string };

export const regressions: readonly Regression[] = [
  { seed: 8, note: 'replayed errored lines were counted as usage' },
  { seed: 9, note: 'a second span came after the scheduler had forgotten its closing batch' },
  { seed: 41, note: 'after a jump of the clock a node claimed what it held and bought it again' },
  { seed: 256, note: 'the jump fell between the renewal and the look for free work' },
  { seed: 401, note: 'a lease was taken over between reading what is held and renewing it' },
  { seed: 748, note: 'a holder that did not hear that its lease had passed on went on sending' },
  { seed: 1101, note: 'a request whose body was still being read was sent after its cancel' },
  { seed: 1713, note: 'a crash between archiving and erasing left the blobs for ever' },
  { seed: 2881, note: 'what expired before the clock jumped back expired rightly (a mistake of the check)' },
  { seed: 20518, note: 'a node that lost one span of several of a batch did not hear of it' },
  { seed: 1106, note: 'a node that thaws must look at its leases before it sends' },
];
