/** The folder of a run: what lies where, made for its owner's eyes only, and the frozen spec written so that it is whole or not there. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DiskFullError, isDiskFull, RunError } from './errors.ts';
import { type RunSpec, SPEC_VERSION } from './spec.ts';

export type RunFolder = {
  readonly path: string;
  readonly state: string;
  readonly spec: string;
  readonly raw: string;
  readonly log: string;
};

export function runFolder(path: string): RunFolder {
  return {
    path,
    state: join(path, 'state.db'),
    spec: join(path, 'spec.json'),
    raw: join(path, 'raw'),
    log: join(path, 'log.ndjson'),
  };
}

export function makeFolder(path: string): RunFolder {
  const folder = runFolder(path);
  mkdirSync(folder.raw, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  return folder;
}

export function rawPath(folder: RunFolder, batchId: string): string {
  // An id comes from a server: it must not lead out of the folder.
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(batchId))
    throw new RunError('damaged', `a batch calls itself ${JSON.stringify(batchId.slice(0, 80))}`);
  return join(folder.raw, `${batchId}.jsonl.zst`);
}

/** Null before a run is planned. */
export function readSpec(folder: RunFolder): RunSpec | null {
  if (!existsSync(folder.spec)) return null;
  const spec = JSON.parse(readFileSync(folder.spec, 'utf8')) as RunSpec;
  if (spec.version !== SPEC_VERSION) {
    throw new RunError(
      'damaged',
      `${folder.spec} has version ${String(spec.version)}; this version of nightshift reads ${SPEC_VERSION}`,
    );
  }
  return spec;
}

export function writeSpec(folder: RunFolder, spec: RunSpec): void {
  const part = `${folder.spec}.part`;
  try {
    const file = openSync(part, 'w', 0o600);
    try {
      writeSync(file, `${JSON.stringify(spec, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, folder.spec);
  } catch (error) {
    throw isDiskFull(error) ? new DiskFullError(folder.spec, error) : error;
  }
}
