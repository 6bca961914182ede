/** The command `nightshift`: finds the subcommand, loads no more than that one, and turns errors into words and an exit code. */
import type { Command } from 'commander';
import { commandNames, isBulkCommand } from './bulk/commands.ts';
import { nearest } from '../config/nearest.ts';
import { versionOf } from './version.ts';

const examples = `
Examples:
  nightshift run tickets.csv -t 'Classify: {{text}}' -m claude-haiku-4-5 -o labels.csv
                                                          from rows to answers, in batches
  nightshift serve                                        try it: answers are simulated
  nightshift serve --upstream anthropic:http://127.0.0.1:11434 --model qwen3:8b
                                                          run batches on a local model server
  NIGHTSHIFT_UPSTREAM_API_KEY=… nightshift serve --upstream anthropic:https://api.anthropic.com
                                                          run them on the Anthropic API, at its list price
  nightshift exec -- python classify.py                   run a program written for that API, unchanged

Exit codes: 0 all went well, 1 a failure, 2 a wrong use of the command; those of the bulk client are in its help.
`;

const EXIT_USAGE = 2;
const serverCommands = ['serve', 'exec', 'simulator', 'workspaces', 'keys', 'cost', 'prices', 'version', 'help'];

async function main(argv: readonly string[]): Promise<void> {
  // A reader that has gone away must not end the server.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const words = argv[2] === 'help' ? [...argv.slice(3), '--help'] : argv.slice(2);
  if (isBulkCommand(words)) {
    const { bulkCommand } = await import('./bulk/main.ts');
    return await bulkCommand(words);
  }
  // A word that is nearly one of ours: commander knows the others and does the same for them.
  const meant = words[0] === undefined || words[0].startsWith('-') ? null : nearest(words[0], commandNames);
  if (meant !== null && !serverCommands.includes(words[0]!)) {
    process.stderr.write(`error: unknown command '${words[0]}'\nhint: Did you mean ${meant}? See: nightshift --help\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  const { CommanderError } = await import('commander');
  try {
    await (await createProgram(words[0], versionOf())).parseAsync(argv);
  } catch (error) {
    // Commander has said what was wrong; help and version are no errors.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
      return;
    }
    const { exitCodeOf, explain } = await import('./failure.ts');
    process.stderr.write(explain(error));
    process.exitCode = exitCodeOf(error);
  }
}

async function createProgram(asked: string | undefined, version: string): Promise<Command> {
  const { Command } = await import('commander');
  const { commandsHelp } = await import('./bulk/help.ts');
  const program = new Command('nightshift')
    .description('The Message Batches API as software anyone can run: a print queue for language models.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('hint: see nightshift --help')
    .addHelpText('after', () => `\n${commandsHelp()}${examples}`)
    .exitOverride();
  const optionsHelp = asked === 'serve' ? (await import('../config/describe.ts')).optionsHelp() : '';
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
    .addHelpText('after', `\n${optionsHelp}${examples}`)
    .action(async (_options: unknown, command: Command) => {
      const { serve } = await import('./serve.ts');
      await serve(command.args, version);
    });
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
    .action(async () => {
      const { exec } = await import('./exec.ts');
      await exec(process.argv.slice(3), version);
    });
  for (const [name, { summary, add }] of Object.entries(parts)) {
    // Its options and help are needed only where it is asked for; elsewhere its line is enough.
    if (asked === name) await add(program);
    else program.command(name).summary(summary);
  }
  program
    .command('version')
    .summary('print the version')
    .action(() => void process.stdout.write(`${version}\n`));
  return program;
}

type Part = { readonly summary: string; readonly add: (program: Command) => Promise<void> };

const parts: Readonly<Record<string, Part>> = {
  simulator: {
    summary: 'start the built-in model as a server, to test against',
    add: async (program) => (await import('./simulator.ts')).addSimulatorCommand(program),
  },
  workspaces: {
    summary: 'make, list, change and archive workspaces',
    add: async (program) => (await import('./workspaces.ts')).addWorkspacesCommand(program),
  },
  keys: {
    summary: 'make, list and revoke keys',
    add: async (program) => (await import('./keys.ts')).addKeysCommand(program),
  },
  cost: {
    summary: 'what was used, and what it costs; cost RUN is that of a bulk run',
    add: async (program) => (await import('./cost.ts')).addCostCommand(program),
  },
  prices: {
    summary: 'print the price list',
    add: async (program) => (await import('./prices.ts')).addPricesCommand(program),
  },
};

await main(process.argv);
