// A server in a process of its own that is killed with -9 and started again on the same data folder and port.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export type ServerPlace = {
  readonly folder: string;
  readonly key: string;
  readonly upstreamUrl: string;
  readonly concurrency: number;
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const START_MS_MAX = 30_000;
const LAST_WORDS_LENGTH = 4_000;

export class KillableServer {
  readonly #place: ServerPlace;
  readonly #recoveriesMs: number[] = [];
  #child: ChildProcess | null = null;
  #port = '0';
  #kills = 0;
  #said = '';

  constructor(place: ServerPlace) {
    this.#place = place;
  }

  get kills(): number {
    return this.#kills;
  }

  /** From the start of a new process until it takes calls, after each kill. */
  get recoveriesMs(): readonly number[] {
    return this.#recoveriesMs;
  }

  /** What the server wrote to standard error last. */
  lastWords(): string {
    return this.#said;
  }

  /** Resolves with the server's address once it takes calls. */
  async start(): Promise<string> {
    const { folder, key, upstreamUrl, concurrency } = this.#place;
    const startedAtMs = performance.now();
    const options = [
      '--port',
      this.#port,
      '--data',
      path.join(folder, 'data'),
      '--log-level',
      'warn',
      '--log-format',
      'json',
    ];
    const upstream = ['--upstream', `anthropic:${upstreamUrl}`, '--concurrency', String(concurrency)];
    const child = spawn(process.execPath, ['bin/nightshift.js', 'serve', ...options, ...upstream], {
      cwd: root,
      env: { ...withoutOurVariables(), NIGHTSHIFT_API_KEY: key },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-LAST_WORDS_LENGTH);
    });
    const url = await addressOf(child);
    if (this.#kills > 0) this.#recoveriesMs.push(performance.now() - startedAtMs);
    this.#port = new URL(url).port;
    return url;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    this.#kills += 1;
    this.#child = null;
  }

  /** Leaves nothing behind; what it was doing does not matter any more. */
  destroy(): void {
    this.#child?.kill('SIGKILL');
    this.#child = null;
  }
}

/** A variable of the person who runs the demo must not change what it shows. */
function withoutOurVariables(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NIGHTSHIFT_')));
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error('the server did not say in time where it listens')), START_MS_MAX);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code}`));
    });
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const url = /listening on (http:\/\/\S+)\n/.exec(text)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}
