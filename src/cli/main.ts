/** The command `nightshift`: finds the subcommand, and turns errors into words and an exit code. */
import { Command, CommanderError } from 'commander';
import { existsSync, readFileSync } from 'node:fs';
import { optionsHelp } from '../config/describe.ts';
import { addCostCommand } from './cost.ts';
import { exec } from './exec.ts';
import { EXIT_USAGE, exitCodeOf, explain } from './failure.ts';
import { addKeysCommand } from './keys.ts';
import { addPricesCommand } from './prices.ts';
import { serve } from './serve.ts';
import { addWorkspacesCommand } from './workspaces.ts';
import { addSimulatorCommand } from './simulator.ts';

const examples = `
Examples:
  nightshift serve                                        try it: answers are simulated
  nightshift serve --upstream anthropic:http://127.0.0.1:11434 --model qwen3:8b
                                                          run batches on a local model server
  NIGHTSHIFT_UPSTREAM_API_KEY=… nightshift serve --upstream anthropic:https://api.anthropic.com
                                                          run them on the Anthropic API, at its list price
  nightshift exec -- python classify.py                   run a program written for that API, unchanged

Exit codes: 0 all went well, 1 a failure, 2 a wrong use of the command.
`;

await main(process.argv);

async function main(argv: readonly string[]): Promise<void> {
  // A reader that has gone away must not end the server.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    await createProgram(versionOf()).parseAsync(argv);
  } catch (error) {
    // Commander has said what was wrong; help and version are no errors.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
      return;
    }
    process.stderr.write(explain(error));
    process.exitCode = exitCodeOf(error);
  }
}

function createProgram(version: string): Command {
  const program = new Command('nightshift')
    .description('The Message Batches API as software anyone can run: a print queue for language models.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('hint: see nightshift --help')
    .addHelpText('after', examples)
    .exitOverride();
  program
    .command('serve')
    .summary('start the server')
    .description(
      'Starts the server. Every option is a flag, a variable or a key of the configuration file: flag > variable > file > default.',
    )
    .usage('[options]')
    // The table of options reads them, so that flags, variables and file are treated alike.
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', `\n${optionsHelp()}${examples}`)
    .action(async (_options: unknown, command: Command) => await serve(command.args, version));
  program
    .command('exec')
    .summary('run a program against a server of its own')
    .description(
      'Starts a server for as long as a program runs, with ANTHROPIC_BASE_URL and a key in its environment; ends with what it did and what it cost.',
    )
    .usage('[options of serve] -- COMMAND [ARGUMENTS]')
    .allowUnknownOption()
    .allowExcessArguments()
    // Commander drops the two dashes, which say where the program begins.
    .action(async () => await exec(process.argv.slice(3), version));
  addSimulatorCommand(program);
  addWorkspacesCommand(program);
  addKeysCommand(program);
  addCostCommand(program);
  addPricesCommand(program);
  program
    .command('version')
    .summary('print the version')
    .action(() => void process.stdout.write(`${version}\n`));
  return program;
}

/** The manifest lies two folders up in a checkout, three in the built package. */
function versionOf(): string {
  const places = ['../../package.json', '../../../package.json'].map((path) => new URL(path, import.meta.url));
  const manifest = places.find((place) => existsSync(place));
  return manifest === undefined
    ? 'unknown'
    : (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
