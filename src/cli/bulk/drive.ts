/** A run under way, in the hands of a person at a terminal or of a script: told while it works, left without loss, and ended with its code. */
import { isAbsolute, relative } from 'node:path';
import type { RunEvent } from '../../bulk/contract.ts';
import type { Ledger } from '../../bulk/ledger/writer.ts';
import type { RowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import type { RunFolder } from '../../bulk/run/folder.ts';
import type { Halt } from '../../bulk/run/parts.ts';
import { Run, type RunEnd } from '../../bulk/run/run.ts';
import type { RunSpec } from '../../bulk/run/spec.ts';
import { systemWorld } from '../../bulk/run/world.ts';
import { OutputClosedError } from '../../bulk/sinks/output-error.ts';
import { amountText } from '../../money/words.ts';
import { credentials, fingerprintOf, isLocal, openApi } from './api.ts';
import { exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { Follower, writeOutputs } from './rows-out.ts';
import {
  countsText,
  failedRows,
  isFinished,
  isSimulated,
  snapshotJson,
  snapshotOf,
  type Snapshot,
} from './snapshot.ts';
import { number, printJson, say } from './talk.ts';
import { openView, type View } from './view.ts';
import { commandFor } from './where.ts';

export type OpenRun = {
  readonly name: string;
  readonly folder: RunFolder;
  readonly spec: RunSpec;
  readonly ledger: Ledger;
  readonly rows: RowsAndPrompt;
};

export type DriveOptions = {
  /** Before it starts: `cancel` and `adopt` have something to do with the same run and API. */
  readonly first?: (run: Run, signal: AbortSignal) => Promise<void>;
};

/** A terminal and npm may both deliver the same signal: so close together it is one. */
const SAME_SIGNAL_MS = 250;

export async function drive(given: Given, open: OpenRun, { first }: DriveOptions = {}): Promise<Exit> {
  const { name, folder, spec, ledger, rows } = open;
  const snapshot = (): Snapshot => snapshotOf({ ledger: ledger.read, spec, nowMs: Date.now() });
  if (first === undefined && isFinished(snapshot())) return await tellAgain(given, open, snapshot());
  warnOfKey(given, spec);
  const opened = await openApi(given, open);
  const view = openView({ given, name, snapshot });
  const follower = isForStdout(spec) ? await Follower.open({ ...open, ledger: ledger.read }, spec.output) : null;
  const left = new Left();
  const run = new Run({
    folder,
    // A local server is somewhere else at each start.
    spec: { ...spec, api: { ...spec.api, baseUrl: opened.url } },
    ledger,
    source: rows.source,
    prompt: rows.prompt,
    api: opened.api,
    world: systemWorld,
    onEvent: (event) => onEvent(event, { given, view, follower, left, run: () => run }),
  });
  const unlisten = listen(left, () => run);
  try {
    await first?.(run, left.signal);
    if (follower !== null) follower.begin().catch((error: unknown) => left.because(error, run));
    const end = left.signal.aborted ? stoppedAtOnce(ledger) : await run.start({ waitMs: given.values.wait });
    if (follower !== null && left.failure === null && end.kind === 'done') await view.aside(() => follower.end());
    view.end();
    if (left.failure !== null) throw left.failure;
    return await tellEnd({ given, open, end, left, snapshot: snapshot() });
  } catch (error) {
    view.end();
    // Who read our output has gone: nothing is wrong, and nothing is lost.
    if (error instanceof OutputClosedError) return exits.done;
    throw error;
  } finally {
    unlisten();
    await opened.close();
  }
}

/** A finished run needs no API and no key: its output is written once more. */
async function tellAgain(given: Given, open: OpenRun, snapshot: Snapshot): Promise<Exit> {
  const { spec, ledger } = open;
  try {
    if (isForStdout(spec)) await (await Follower.open({ ...open, ledger: ledger.read }, spec.output)).end();
  } catch (error) {
    if (error instanceof OutputClosedError) return exits.done;
    throw error;
  }
  return await tellDone({ given, open, snapshot });
}

/** Keys are renewed, and the batches of a workspace stay; those of another's key would not be found. */
function warnOfKey(given: Given, { api: { baseUrl, keyFingerprint } }: RunSpec): void {
  if (isLocal(baseUrl) || keyFingerprint === null || fingerprintOf(credentials(given)) === keyFingerprint) return;
  say(
    given,
    'note    this is another key than the run began with: it must be of the same workspace, or its batches are not found',
  );
}

function isForStdout({ output: { location } }: RunSpec): boolean {
  return location === null || location === '-';
}

/** Why a person, or the reader of the output, has left. */
class Left {
  readonly #controller = new AbortController();
  exit: Exit = exits.interrupted;
  failure: Error | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  by(exit: Exit, run: Run): void {
    this.exit = exit;
    this.#controller.abort();
    void run.stop();
  }

  because(error: unknown, run: Run): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
    this.by(exits.failure, run);
  }
}

type EventContext = {
  readonly given: Given;
  readonly view: View;
  readonly follower: Follower | null;
  readonly left: Left;
  readonly run: () => Run;
};

function onEvent(event: RunEvent, { given, view, follower, left, run }: EventContext): void {
  view.event(event);
  if (event.kind === 'unclear' && given.values.strict) left.by(exits.unresolved, run());
  if (event.kind !== 'ingested' || follower === null) return;
  void view.aside(() => follower.batch(event.batchId)).catch((error: unknown) => left.because(error, run()));
}

const signals = { SIGINT: exits.interrupted, SIGTERM: exits.terminated, SIGHUP: exits.terminated } as const;

/** The first stops submitting and keeps what has come; the second ends at once, which loses nothing either. */
function listen(left: Left, run: () => Run): () => void {
  let firstAtMs: number | null = null;
  const listeners = Object.entries(signals).map(([signal, exit]) => {
    const listener = (): void => {
      const nowMs = performance.now();
      if (firstAtMs !== null) {
        if (nowMs - firstAtMs >= SAME_SIGNAL_MS) process.exit(exit);
        return;
      }
      firstAtMs = nowMs;
      left.by(exit, run());
    };
    process.on(signal, listener);
    return () => void process.off(signal, listener);
  });
  return () => {
    for (const off of listeners) off();
  };
}

function stoppedAtOnce(ledger: Ledger): RunEnd {
  return { kind: 'stopped', why: 'interrupted', counts: ledger.read.counts() };
}

type End = {
  readonly given: Given;
  readonly open: OpenRun;
  readonly end: RunEnd;
  readonly left: Left;
  readonly snapshot: Snapshot;
};

async function tellEnd(about: End): Promise<Exit> {
  const { given, open, end, left, snapshot } = about;
  switch (end.kind) {
    case 'done':
      return await tellDone(about);
    case 'submitted':
      return exits.running;
    case 'halted':
      tellJson(about);
      say(given, `stopped ${end.why.message}`);
      say(
        given,
        `        ${number(snapshot.counts.pending)} rows are pending, none is lost; go on: ${commandFor(given, `resume ${open.name}`)}${end.why.kind === 'budget' ? ' --max-cost DOLLARS' : ''}`,
      );
      return exitOfHalt(end.why);
    case 'stopped': {
      tellJson(about);
      const exit = end.why === 'waited' ? exits.running : left.exit;
      tellDetached(given, { open, exit, snapshot });
      return exit;
    }
  }
}

function exitOfHalt({ kind }: Halt): Exit {
  return kind === 'blocked' ? exits.authentication : exits.budget;
}

async function tellDone({ given, open, snapshot }: Pick<End, 'given' | 'open' | 'snapshot'>): Promise<Exit> {
  const exported = await writeOutputs({ ...open, ledger: open.ledger.read }, open.spec.output);
  const { location, errors } = open.spec.output;
  const failed = failedRows(snapshot);
  tellJson({ given, open, snapshot });
  say(given, `done    ${number(snapshot.rows)} rows: ${countsText(snapshot)}`);
  say(given, `spent   ${isSimulated(open.spec) ? '$0 (simulated: nobody was paid)' : amountText(snapshot.spent)}`);
  if (exported !== null && location !== null && location !== '-')
    say(given, `output  ${shown(location)}, ${number(exported.rows)} rows`);
  if (errors !== null) say(given, `errors  ${shown(errors)}, ${number(failed)} rows`);
  if (failed > 0) say(given, `why     ${commandFor(given, `errors ${open.name}`)}`);
  return failed > 0 ? exits.someRowsFailed : exits.done;
}

/** Standard output is the rows' where there is no file for them. */
function tellJson({ given, open, snapshot }: Pick<End, 'given' | 'open' | 'snapshot'>): void {
  if (!given.values.json) return;
  const summary = snapshotJson(open.name, snapshot);
  if (isForStdout(open.spec)) process.stderr.write(`${JSON.stringify(summary)}\n`);
  else printJson(summary);
}

function tellDetached(
  given: Given,
  { open, exit, snapshot }: { readonly open: OpenRun; readonly exit: Exit; readonly snapshot: Snapshot },
): void {
  const { name, spec } = open;
  const inFlight = snapshot.batches.running.length;
  if (exit === exits.unresolved) say(given, 'left    a submission is not known to have been made (--strict)');
  if (isLocal(spec.api.baseUrl)) {
    say(given, 'paused  the local server has stopped; nothing is lost.');
    say(given, `        go on: ${commandFor(given, `resume ${name}`)}`);
    return;
  }
  say(
    given,
    `left    ${inFlight === 0 ? 'no batch is running' : `${number(inFlight)} batches keep running and billing`}; nothing is lost.`,
  );
  say(
    given,
    `        go on: ${commandFor(given, `resume ${name}`)}   look: ${commandFor(given, `status ${name}`)}   stop: ${commandFor(given, `cancel ${name}`)}`,
  );
}

/** As it was named; a password in an address is nobody's to read. */
function shown(location: string): string {
  const near = relative(process.cwd(), location);
  if (isAbsolute(location) && !near.startsWith('..')) return near;
  return location.replace(/:\/\/([^:@/]*):[^@/]*@/, '://$1:…@');
}
