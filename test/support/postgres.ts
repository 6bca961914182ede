/** A real PostgreSQL of one test file, on a folder and a port of its own; null, and a word why, where the machine has none. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type PostgresServer = { readonly url: string; stop(): Promise<void> };

const installed = '/usr/lib/postgresql';

/** The server refuses to run as root, so it runs as whom Debian's package made for it. */
export async function startPostgres(): Promise<PostgresServer | null> {
  const bin = newestBin();
  const as = process.getuid?.() === 0 ? userNamed('postgres') : null;
  if (bin === null || (process.getuid?.() === 0 && as === null)) return null;
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-postgres-'));
  if (as !== null) chownSync(folder, as.uid, as.gid);
  const data = join(folder, 'data');
  const how = { cwd: folder, ...as };
  const initdb = ['-D', data, '-U', 'test', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'];
  execFileSync(join(bin, 'initdb'), initdb, { ...how, stdio: 'ignore' });
  const port = await freePort();
  const settings = ['fsync=off', `port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`];
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
    ...how,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const line of createInterface(server.stderr)) if (line.includes('ready to accept connections')) break;
  server.stderr.resume();
  return {
    url: `postgres://test@127.0.0.1:${port}/postgres`,
    async stop() {
      const ended = once(server, 'exit');
      server.kill('SIGQUIT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function newestBin(): string | null {
  if (!existsSync(installed)) return null;
  const versions = readdirSync(installed).toSorted((left, right) => Number(right) - Number(left));
  return (
    versions.map((version) => join(installed, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb'))) ?? null
  );
}

function userNamed(name: string): { readonly uid: number; readonly gid: number } | null {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' })));
    return { uid: uid!, gid: gid! };
  } catch {
    return null;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
