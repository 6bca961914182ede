/** The upstream of a run: the test upstream, in its own process, and watched, because without it a batch would wait for ever. */

import { startUpstream } from '../test/support/upstream-server.ts';
import type { Upstream, UpstreamOptions } from '../test/support/upstream-server.ts';
import type { Run } from './bench.ts';

const WATCH_MS = 500;

export async function startWatchedUpstream(
  { resources, fail }: Pick<Run, 'resources' | 'fail'>,
  options: UpstreamOptions,
): Promise<Upstream> {
  const upstream = resources.use(await startUpstream(options));
  const timer = setInterval(() => void upstream.stats().catch(fail), WATCH_MS);
  resources.defer(() => clearInterval(timer));
  return upstream;
}
