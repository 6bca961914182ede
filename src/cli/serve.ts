/** `nightshift serve`: starts the server, says where it is, and stops it when told to. */
import { startServer, type StartedServer } from '../compose.ts';
import { readConfig, systemSources, type Config } from '../config.ts';
import { banner } from './banner.ts';
import { findModelServers } from './discover.ts';
import { EXIT_FAILURE, explain } from './failure.ts';

/** A terminal and npm may both deliver the same signal: so close together it is one. */
const SAME_SIGNAL_MS = 250;

export async function serve(argv: readonly string[], version: string): Promise<void> {
  const config = readConfig(systemSources(argv));
  for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`);
  const looking = config.upstreamMissing ? findModelServers() : Promise.resolve([]);
  const server = await startServer({ config, version, onFatal: endAtOnce });
  stopOnSignals(server);
  await announce(server, { config, looking });
}

type Announcement = { readonly config: Config; readonly looking: ReturnType<typeof findModelServers> };

/** The first line is for scripts, the rest for people, also for those who read it in a file: the log goes to standard error. */
async function announce(server: StartedServer, { config, looking }: Announcement): Promise<void> {
  process.stdout.write(`nightshift listening on ${server.url}\n`);
  const color = config.logColor && process.stdout.isTTY;
  process.stdout.write(banner({ server, config, found: await looking }, color));
}

/** What cannot be has happened: the next start recovers from the disk. */
function endAtOnce(error: unknown): void {
  process.stderr.write(explain(error));
  process.exit(EXIT_FAILURE);
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** The first signal drains; the second ends the process as it stands, which loses nothing that was accepted or answered. */
function stopOnSignals(server: StartedServer): void {
  let firstAtMs: number | null = null;
  for (const [signal, number] of Object.entries(signalNumbers)) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (firstAtMs !== null) {
        if (nowMs - firstAtMs >= SAME_SIGNAL_MS) process.exit(128 + number);
        return;
      }
      firstAtMs = nowMs;
      server.stop(signal).then(() => process.exit(0), endAtOnce);
    });
  }
}
