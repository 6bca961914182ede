/** A command of the bulk client, from its words to its exit code; only its own code is loaded. */
import { commandOf, type CommandName } from './commands.ts';
import { exitOf, exits, explained, type Exit } from './exits.ts';
import { helpOf } from './help.ts';
import { hasFlag, readGiven, type Given } from './read-flags.ts';

export type Command = (given: Given) => Promise<Exit>;

const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  run: async () => (await import('./run.ts')).run,
  plan: async () => (await import('./run.ts')).plan,
  resume: async () => (await import('./resume.ts')).resume,
  retry: async () => (await import('./resume.ts')).retry,
  status: async () => (await import('./status.ts')).status,
  ls: async () => (await import('./status.ts')).list,
  watch: async () => (await import('./watch.ts')).watch,
  results: async () => (await import('./results.ts')).results,
  errors: async () => (await import('./errors.ts')).errors,
  show: async () => (await import('./show.ts')).show,
  cost: async () => (await import('./run-cost.ts')).runCost,
  cancel: async () => (await import('./cancel.ts')).cancel,
  adopt: async () => (await import('./adopt.ts')).adopt,
  doctor: async () => (await import('./doctor.ts')).doctor,
  gc: async () => (await import('./gc.ts')).gc,
  completion: async () => (await import('./completion.ts')).completion,
};

export async function bulkCommand([name, ...argv]: readonly string[]): Promise<void> {
  const command = name as CommandName;
  if (hasFlag(argv, '--help') || hasFlag(argv, '-h')) {
    process.stdout.write(helpOf(command));
    return;
  }
  try {
    const given = readGiven({ command, spec: commandOf(command), argv, env: process.env });
    const execute = await loaders[command]();
    process.exitCode = await execute(given);
  } catch (error) {
    process.exitCode = tell(error, hasFlag(argv, '--json'));
  }
}

/** On standard error: two lines for people, or an object of one line where JSON was asked for. */
function tell(error: unknown, json: boolean): Exit {
  const exit = exitOf(error);
  const known = explained(error);
  if (json) {
    const message = known?.message ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.stderr.write(`${JSON.stringify({ error: { exit, message, hint: known?.hint ?? null } })}\n`);
  } else if (known !== null) {
    process.stderr.write(`error: ${known.message}\nhint: ${known.hint}\n`);
  } else {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`error: this is a fault of Nightshift, please report it\n${stack}\n`);
  }
  return exit === exits.done ? exits.failure : exit;
}
