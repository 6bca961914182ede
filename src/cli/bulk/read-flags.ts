/** What a command was told: flag before variable before the file's part "run" before default, each named where it is refused. */
import { readFileSync } from 'node:fs';
import { nearest } from '../../config/nearest.ts';
import { CONFIG_FILE_DEFAULT } from '../../config/options.ts';
import { asObject, ConfigError, readAt } from '../../config/read.ts';
import type { CommandSpec } from './commands.ts';
import { flagOf, optionOf, runOptionNames, variableOf, type RunOptionName, type RunValues } from './options.ts';

export type Given = {
  readonly command: string;
  readonly operands: readonly string[];
  readonly values: RunValues;
  /** What was said anywhere, so that a default is told from it. */
  readonly said: ReadonlySet<RunOptionName>;
  readonly env: Readonly<Record<string, string | undefined>>;
};

type Sources = {
  readonly command: string;
  readonly spec: CommandSpec;
  readonly argv: readonly string[];
  readonly env: Given['env'];
};

type Said = Map<RunOptionName, { readonly source: string; readonly value: unknown }>;

export function readGiven({ command, spec, argv, env }: Sources): Given {
  const { flags, operands } = readArguments({ command, spec, argv });
  const { min, max } = spec.operands;
  if (operands.length < min || operands.length > max) {
    const message =
      operands.length > max ? `unexpected argument ${JSON.stringify(operands[max])}` : 'an argument is missing';
    throw new ConfigError(message, `Usage: nightshift ${command} ${spec.usage}`);
  }
  const said: Said = new Map([...readFile(flags, spec), ...readVariables(env, spec), ...flags]);
  const values = Object.fromEntries(
    runOptionNames.map((name) => {
      const given = said.get(name);
      return [name, given === undefined ? optionOf(name).fallback : readAt<unknown>(optionOf(name).reader, given)];
    }),
  ) as RunValues;
  return { command, operands, values, said: new Set(said.keys()), env };
}

/** Also where a spelling is wrong: whether `--json` and the like stand in it. */
export function hasFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? undefined : end).includes(flag);
}

function readArguments({ command, spec, argv }: Pick<Sources, 'command' | 'spec' | 'argv'>): {
  flags: Said;
  operands: readonly string[];
} {
  const known = new Map(spec.options.flatMap((name) => namesOf(name).map((flag) => [flag, name] as const)));
  const flags: Said = new Map();
  const operands: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--') {
      operands.push(...argv.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      continue;
    }
    const { flag, attached } = partsOf(word);
    const name = known.get(flag);
    if (name === undefined) throw unknownFlag(flag, { command, known: [...known.keys()] });
    const { reader, isSwitch, many } = optionOf(name);
    let value: string | undefined = attached;
    if (isSwitch) value = flag.startsWith('--no-') ? 'off' : (attached ?? 'on');
    else if (value === undefined) {
      value = argv[++index];
      if (value === undefined || (value.startsWith('--') && known.has(partsOf(value).flag)))
        throw new ConfigError(`${flag} needs a value`, `Expected ${reader.accepts}.`);
    }
    const before = flags.get(name);
    if (before !== undefined && many !== true) throw new ConfigError(`${flag} is given twice`, 'Give it once.');
    flags.set(name, { source: flag, value: before === undefined ? value : [before.value, value].flat() });
  }
  return { flags, operands };
}

/** `--flag`, `--flag=value`, `-f`, `-fvalue`. */
function partsOf(word: string): { readonly flag: string; readonly attached: string | undefined } {
  if (!word.startsWith('--')) return { flag: word.slice(0, 2), attached: word.length > 2 ? word.slice(2) : undefined };
  const at = word.indexOf('=');
  return at < 0 ? { flag: word, attached: undefined } : { flag: word.slice(0, at), attached: word.slice(at + 1) };
}

export function namesOf(name: RunOptionName): readonly string[] {
  const { short, isSwitch } = optionOf(name);
  const flag = flagOf(name);
  return [flag, ...(short === undefined ? [] : [`-${short}`]), ...(isSwitch ? [`--no-${flag.slice(2)}`] : [])];
}

const secretWords = /^--(anthropic-)?(api-?key|key|token|auth-token|secret|password)$/;

function unknownFlag(flag: string, { command, known }: { command: string; known: readonly string[] }): ConfigError {
  if (secretWords.test(flag))
    return new ConfigError(
      `${flag} is not an option: secrets do not belong on the command line`,
      'Set the variable ANTHROPIC_API_KEY.',
    );
  const meant = nearest(flag, known);
  return new ConfigError(
    `unknown option ${flag}`,
    meant === null ? `See: nightshift ${command} --help` : `Did you mean ${meant}?`,
  );
}

function readVariables(env: Given['env'], { options }: CommandSpec): Said {
  const said: Said = new Map();
  for (const name of options) {
    const source = variableOf(name);
    const value = env[source];
    if (optionOf(name).flagOnly !== true && value !== undefined && value !== '') said.set(name, { source, value });
  }
  const baseUrl = env.ANTHROPIC_BASE_URL;
  if (options.includes('baseUrl') && !said.has('baseUrl') && baseUrl)
    said.set('baseUrl', { source: 'ANTHROPIC_BASE_URL', value: baseUrl });
  return said;
}

/** Keys of the part "run" that are another command's are left to it. */
function readFile(flags: Said, { options }: CommandSpec): Said {
  const given = flags.get('config');
  const path = given === undefined ? CONFIG_FILE_DEFAULT : String(given.value);
  const content = contentOf(path, given !== undefined);
  if (content === null) return new Map();
  const known = runOptionNames.filter((name) => optionOf(name).flagOnly !== true);
  const run = asObject({ value: partRun(content, path), source: `${path}: run`, known });
  const own = Object.entries(run).filter(([name]) => options.includes(name as RunOptionName));
  return new Map(own.map(([name, value]) => [name as RunOptionName, { source: `${path}: run.${name}`, value }]));
}

function contentOf(path: string, mustExist: boolean): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !mustExist) return null;
    throw new ConfigError(
      `cannot read ${path}: ${(error as Error).message}`,
      'Make it a readable file, or leave --config out.',
    );
  }
}

function partRun(content: string, path: string): unknown {
  try {
    const whole = JSON.parse(content.replace(/^\uFEFF/, '')) as { run?: unknown } | null;
    return whole?.run ?? {};
  } catch (error) {
    throw new ConfigError(
      `${path} is not JSON: ${(error as Error).message}`,
      'Mend the file; comments and trailing commas are not JSON.',
    );
  }
}
