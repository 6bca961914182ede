// One installation at a time: a lock folder that its holder keeps young, so that a dead holder's lock is recognised and taken over.
import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';

/** A holder touches its lock this often. */
const TOUCH_MS = 1_000;
/** A lock untouched for so long belongs to a process that is gone. */
const STALE_MS = 15_000;
const RETRY_MS = 100;

/** Runs the work while holding the lock, waiting for it first. */
export async function withLock(folder, work) {
  while (!take(folder)) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  const touching = setInterval(() => touch(folder), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    rmSync(folder, { recursive: true, force: true });
  }
}

function take(folder) {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    removeIfStale(folder);
    return false;
  }
}

/** Moves the lock away before deleting it: of several processes that find it stale, only one can. */
function removeIfStale(folder) {
  try {
    if (Date.now() - statSync(folder).mtimeMs < STALE_MS) return;
    const aside = `${folder}-stale-${process.pid}`;
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

function touch(folder) {
  const now = new Date();
  try {
    utimesSync(folder, now, now);
  } catch {
    // The lock is gone; the work itself will fail or succeed without it.
  }
}
