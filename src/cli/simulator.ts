/** `nightshift simulator`: the built-in model as a server of its own, to test pipelines against. */
import type { Command } from 'commander';
import { modelNames } from '../config/options.ts';
import { ConfigError, readAt } from '../config/read.ts';
import { duration, integer, oneOf, secret, text, type Reader } from '../config/values.ts';
import { StartError } from '../domain/errors.ts';
import { serveSimulator } from '../simulator/http.ts';
import { profileNames } from '../simulator/profile.ts';
import { createSimulator } from '../simulator/simulator.ts';
import { systemWorld } from '../world.ts';

const host = text({ accepts: 'an address or host name', placeholder: 'HOST', pattern: /^[\w.:-]+$/ });
const variable = text({ accepts: 'the name of a variable', placeholder: 'NAME', pattern: /^[A-Za-z_]\w*$/ });

const help = `
Answers POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models and POST /v1/chat/completions.
No model is asked, and every answer says so. docs/simulator.md tells what can be tested with it.

Examples:
  nightshift simulator --port 2425
  nightshift simulator --profile flaky --models claude-haiku-4-5,claude-opus-5
`;

export function addSimulatorCommand(program: Command): void {
  program
    .command('simulator')
    .summary('start the built-in model as a server, to test against')
    .description('Starts the simulator: a server of the Messages API and of chat completions without a model.')
    .option(
      '--port <number>',
      'port to listen on; 0 takes a free one',
      read(integer({ min: 0, max: 65_535 }), '--port'),
      2425,
    )
    .option('--host <host>', 'address to listen on', read(host, '--host'), '127.0.0.1')
    .option('--profile <name>', profileNames.join(', '), read(oneOf(profileNames), '--profile'), 'steady')
    .option('--models <list>', 'the models there are, with commas; every name if absent', read(modelNames, '--models'))
    .option('--latency <duration>', 'time of a whole answer', read(duration({ minMs: 0 }), '--latency'), 0)
    .option(
      '--seed <number>',
      'the same seed answers the same',
      read(integer({ min: 0, max: 2 ** 32 - 1 }), '--seed'),
      1,
    )
    .option('--api-key-env <name>', 'variable with the key that callers must send', read(variable, '--api-key-env'))
    .addHelpText('after', help)
    .action(async (options: Options) => await simulator(options));
}

type Options = {
  readonly port: number;
  readonly host: string;
  readonly profile: (typeof profileNames)[number];
  readonly models?: readonly string[];
  readonly latency: number;
  readonly seed: number;
  readonly apiKeyEnv?: string;
};

function read<T>(reader: Reader<T>, source: string): (value: string) => T {
  return (value) => readAt(reader, { source, value });
}

async function simulator(options: Options): Promise<void> {
  const { timers, clock } = systemWorld({ send: refuseToSend, emit: () => undefined });
  const { seed, profile, models = null, latency: latencyMs } = options;
  const server = await serveSimulator({
    simulator: createSimulator({ seed, profile, models, latencyMs, nowMs: () => clock.wallMs() }),
    timers,
    host: options.host,
    port: options.port,
    apiKey: options.apiKeyEnv === undefined ? null : keyFrom(options.apiKeyEnv),
  }).catch((error: Error) => {
    const hint = 'Look at --host and --port; --port 0 takes a free one.';
    throw new StartError(`cannot listen on ${options.host}:${options.port}: ${error.message}`, { hint, cause: error });
  });
  // Before the line that scripts wait for: they may end it at once.
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
  process.stdout.write(`nightshift simulator listening on ${server.url}\n`);
}

function keyFrom(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '')
    throw new ConfigError(
      `--api-key-env: the variable ${name} is not set`,
      'Set it to the key that callers must send.',
    );
  return readAt(secret, { source: name, value });
}

/** The simulator calls nobody. */
function refuseToSend(): never {
  throw new Error('the simulator sends nothing');
}
