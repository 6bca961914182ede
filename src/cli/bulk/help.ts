/** The help of the commands of the bulk client, from their tables. */
import { commandNames, commandOf, type CommandName, type CommandSpec } from './commands.ts';
import { exitProse } from './exits.ts';
import { flagOf, groups, optionOf, variableOf, type RunOptionName } from './options.ts';

const FLAG_COLUMN = 34;

export function helpOf(command: CommandName): string {
  const spec = commandOf(command);
  const parts = [
    `Usage: nightshift ${command} ${spec.usage}\n\n${sentence(spec.summary)}`,
    examplesOf(spec),
    ...optionsOf(spec),
    `Every option may also be a variable (${variableOf('maxCost')}=20) or a key of the part "run" of nightshift.config.json ("maxCost": 20).\nThe key is read from ANTHROPIC_API_KEY.`,
    `Exit codes:\n${exitProse.map(([code, prose]) => `  ${String(code).padEnd(4)} ${prose}`).join('\n')}`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** For the help of `nightshift` itself. */
export function commandsHelp(): string {
  const lines = commandNames.map((name) => `  ${name.padEnd(12)} ${commandOf(name).summary}`);
  return `Rows to answers, in batches (see nightshift run --help):\n${lines.join('\n')}\n`;
}

function examplesOf({ examples = [] }: CommandSpec): string {
  return examples.length === 0 ? '' : `Examples:\n${examples.map((example) => `  ${example}`).join('\n')}`;
}

function optionsOf({ options }: CommandSpec): readonly string[] {
  return groups.flatMap((group) => {
    const names = options.filter((name) => optionOf(name).group === group);
    return names.length === 0 ? [] : [`${group}:\n${names.map(lineOf).join('\n')}`];
  });
}

function lineOf(name: RunOptionName): string {
  const { prose } = optionOf(name);
  const head = headOf(name);
  const gap =
    head.length > FLAG_COLUMN ? `\n${' '.repeat(FLAG_COLUMN + 3)}` : ' '.repeat(FLAG_COLUMN - head.length + 1);
  return `  ${head}${gap}${prose}${fallbackOf(name)}`;
}

export function headOf(name: RunOptionName): string {
  const { short, isSwitch, reader, fallback } = optionOf(name);
  const flag = isSwitch && fallback === true ? `--no-${flagOf(name).slice(2)}` : flagOf(name);
  return `${short === undefined ? '' : `-${short}, `}${flag}${isSwitch ? '' : ` ${reader.placeholder}`}`;
}

function fallbackOf(name: RunOptionName): string {
  const { isSwitch, shownFallback, fallback, reader } = optionOf(name);
  if (isSwitch) return '';
  if (shownFallback !== undefined) return ` [${shownFallback}]`;
  return fallback === null ? '' : ` [${reader.show(fallback)}]`;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
