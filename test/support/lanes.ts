/** A server with several upstreams at once, each under the models that begin with its name: one bad, and its neighbours beside it. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { scratchFolder } from './scratch-folder.ts';
import { startServer, type Server } from './server.ts';
import type { UpstreamProfile } from './upstream-profile.ts';
import { startUpstream, type Upstream } from './upstream-server.ts';

export type Lanes = { readonly server: Server; readonly upstreams: Readonly<Record<string, Upstream>> };
export type LanesOptions = {
  /** By name; the requests of an upstream have the model `<name>-model`. */
  readonly profiles: Readonly<Record<string, Partial<UpstreamProfile>>>;
  readonly flags?: readonly string[];
  readonly data?: string;
};

export async function startLanes(test: TestContext, { profiles, flags = [], data }: LanesOptions): Promise<Lanes> {
  const started = Object.entries(profiles).map(async ([name, profile]): Promise<[string, Upstream]> => {
    const upstream = await startUpstream({ profile });
    test.after(() => upstream.stop());
    return [name, upstream];
  });
  const upstreams = Object.fromEntries(await Promise.all(started));
  const names = Object.keys(profiles);
  const config = {
    upstreams: Object.fromEntries(names.map((name) => [name, { protocol: 'anthropic', url: upstreams[name]?.url }])),
    models: Object.fromEntries(names.map((name) => [`${name}-*`, { upstream: name }])),
  };
  const file = path.join(await scratchFolder(test), 'lanes.json');
  await writeFile(file, JSON.stringify(config));
  const options = { flags: ['--config', file, ...flags], upstream: null };
  return { upstreams, server: await startServer(test, data === undefined ? options : { ...options, data }) };
}
