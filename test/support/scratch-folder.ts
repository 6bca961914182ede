/** Folders for one test, removed after it: on the usual disk, or on a filesystem of its own that is soon full. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export async function scratchFolder(test: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-test-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A mounted tmpfs of so many KiB; null where this process may not mount, and then the test says it was skipped. */
export async function tinyFilesystem(test: TestContext, kibibytes: number): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-tiny-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k,mode=0700`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    await rm(folder, { recursive: true, force: true });
    test.skip('SKIPPED: mounting a tmpfs is not permitted here, so a really full filesystem was not tested');
    return null;
  }
  test.after(async () => {
    execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}
