/** `nightshift doctor`: what would stop a run, or lose results, looked at before it does. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ApiError } from '../../bulk/contract.ts';
import { httpBatchApi } from '../../bulk/api/api.ts';
import { systemWorld } from '../../bulk/run/world.ts';
import { credentials, isLocal } from './api.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { isFinished, RESULTS_KEPT_MS, stateWord } from './snapshot.ts';
import { look } from './status.ts';
import { date, painter, print, printJson, span } from './talk.ts';
import { commandFor, findRun, findRuns } from './where.ts';

type Finding = {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'error';
  readonly message: string;
  readonly exit?: Exit;
};

/** A key that is slow to answer is a finding too. */
const ASKED_MS = 15_000;
/** Beyond this, `created_at` and our own times are hard to match. */
const SKEW_WARNED_MS = 60_000;
const FREE_BYTES_WARNED = 1e9;
/** Results of so old a batch are fetched now, or soon never. */
const RESULTS_ALARM_MS = 20 * 86_400_000;

export async function doctor(given: Given): Promise<Exit> {
  const findings = [...disk(given), ...(await key(given)), ...(await runs(given))];
  const paint = painter(given, process.stdout);
  const colors = { ok: 'green', warning: 'yellow', error: 'red' } as const;
  for (const { check, level, message } of findings) {
    if (given.values.json) printJson({ check, level, message });
    else print(`${paint(level.padEnd(8), colors[level])} ${check.padEnd(12)} ${message}`);
  }
  const worst = findings.find(({ level }) => level === 'error');
  return worst === undefined ? exits.done : (worst.exit ?? exits.failure);
}

function disk({ values }: Given): readonly Finding[] {
  let folder = resolve(values.state);
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return [
      { check: 'disk', level: 'error', message: `${folder} cannot be written: name another folder with --state` },
    ];
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const message = `${(free / 1e9).toFixed(1)} GB are free in ${folder}`;
  return [{ check: 'disk', level: free < FREE_BYTES_WARNED ? 'warning' : 'ok', message }];
}

async function key(given: Given): Promise<readonly Finding[]> {
  const { baseUrl } = given.values;
  let known: ReturnType<typeof credentials>;
  try {
    known = credentials(given);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const onlyLocal = findRuns(given).length > 0 && findRuns(given).every(({ spec }) => isLocal(spec.api.baseUrl));
    return [
      {
        check: 'key',
        level: onlyLocal ? 'ok' : 'error',
        message: onlyLocal ? 'none is set, and every run here is local' : `${error.message}: ${error.hint}`,
        exit: exits.authentication,
      },
    ];
  }
  const api = httpBatchApi({ baseUrl, ...known, world: systemWorld });
  const startedAtMs = Date.now();
  try {
    await api.list({ afterId: null, limit: 1, signal: AbortSignal.timeout(ASKED_MS) });
  } catch (error) {
    if (!(error instanceof ApiError) && (error as Error).name !== 'TimeoutError') throw error;
    const status = error instanceof ApiError ? error.failure.status : null;
    const refused = status === 401 || status === 403;
    return [
      {
        check: refused ? 'key' : 'API',
        level: 'error',
        message: `${baseUrl}: ${(error as Error).message}`,
        exit: refused ? exits.authentication : exits.failure,
      },
    ];
  } finally {
    await api.close();
  }
  const ahead = api.clockAheadMs();
  const capabilities = [...api.capabilities()];
  return [
    { check: 'key', level: 'ok', message: `${baseUrl} takes it` },
    {
      check: 'API',
      level: 'ok',
      message: `answered in ${Date.now() - startedAtMs} ms${capabilities.length === 0 ? '' : `; it knows ${capabilities.join(', ')}`}`,
    },
    {
      check: 'clock',
      level: Math.abs(ahead) > SKEW_WARNED_MS ? 'warning' : 'ok',
      message:
        Math.abs(ahead) < 2_000
          ? 'agrees with that of the API'
          : `the API's is ${span(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'}`,
    },
  ];
}

async function runs(given: Given): Promise<readonly Finding[]> {
  const chosen = given.operands[0] === undefined ? findRuns(given) : [findRun(given)];
  const findings: Finding[] = [];
  for (const run of chosen) {
    const snapshot = await look(run);
    const check = `run ${run.name}`;
    const { unclear, resultsUntilMs, nowMs } = snapshot;
    const resume = commandFor(given, `resume ${run.name}`);
    if (unclear > 0)
      findings.push({
        check,
        level: 'warning',
        message: `${unclear} submissions are not known to have been made; ${resume} looks for them and sends nothing twice`,
      });
    if (resultsUntilMs !== null && nowMs > resultsUntilMs)
      findings.push({
        check,
        level: 'error',
        message: `results that were never fetched were deleted by the API on ${date(resultsUntilMs)}`,
      });
    else if (resultsUntilMs !== null && nowMs > resultsUntilMs - RESULTS_KEPT_MS + RESULTS_ALARM_MS)
      findings.push({
        check,
        level: 'error',
        message: `the API deletes results on ${date(resultsUntilMs)}: fetch them with ${resume}`,
      });
    if (stateWord(snapshot) === 'paused')
      findings.push({ check, level: 'warning', message: `nobody works on it; go on with ${resume}` });
    else
      findings.push({
        check,
        level: 'ok',
        message: isFinished(snapshot)
          ? 'is finished'
          : `process ${snapshot.owner?.pid} on ${snapshot.owner?.host} works on it`,
      });
  }
  return findings;
}
