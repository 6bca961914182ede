/** The commands of the bulk client: what each takes and is for; main.ts says where its code is. */
import { runOptionNames, optionOf, type RunOptionName, type RunOption } from './options.ts';

export type CommandSpec = {
  readonly summary: string;
  readonly usage: string;
  readonly operands: { readonly min: number; readonly max: number };
  readonly options: readonly RunOptionName[];
  readonly examples?: readonly string[];
};

function inGroups(...groups: readonly RunOption<unknown>['group'][]): readonly RunOptionName[] {
  return runOptionNames.filter((name) => groups.includes(optionOf(name).group) && !elsewhere.includes(name));
}

/** Of other commands, though their groups are those of `run`. */
const elsewhere: readonly RunOptionName[] = [
  'input',
  'resultFormat',
  'refresh',
  'exitStatus',
  'compare',
  'dryRun',
  'color',
  'config',
  'json',
  'progress',
  'quiet',
];

const talk = ['state', 'json', 'color', 'quiet', 'config'] as const satisfies readonly RunOptionName[];
const local = ['local', 'upstream', 'upstreamModel', 'concurrency'] as const satisfies readonly RunOptionName[];
const asked = ['baseUrl', ...talk] as const satisfies readonly RunOptionName[];
const driving = [
  'maxCost',
  'yes',
  'confirmAbove',
  'strict',
  'detach',
  'wait',
  'progress',
  ...local,
  ...asked,
] as const satisfies readonly RunOptionName[];
const request = inGroups('Input', 'Prompt');
const whole = [...request, ...inGroups('Output', 'Spend', 'Batching', 'Policy', 'Process')];
const aRun = { min: 0, max: 1 };

export const commands = {
  run: {
    summary: 'send rows through a model in batches; the same command again goes on where it was',
    usage: 'INPUT|- [options]',
    operands: aRun,
    options: [...whole, 'compare', 'dryRun', 'progress', ...talk.filter((name) => name !== 'state')],
    examples: [
      "nightshift run examples/tickets.csv -t 'Classify this support ticket: {{text}}' -m claude-haiku-4-5 --local -o labels.csv",
      'nightshift run reviews.jsonl -t @prompt.liquid -m claude-haiku-4-5 --schema label.json --max-cost 20 -o labels.parquet',
      "psql -c 'copy t to stdout csv header' | nightshift run - --format csv -t '{{body}}' -m claude-haiku-4-5 --yes | jq .text",
    ],
  },
  plan: {
    summary: 'read, render and price everything; spends nothing',
    usage: 'INPUT|- [options]',
    operands: aRun,
    options: [...whole, 'compare', 'progress', ...talk.filter((name) => name !== 'state')],
  },
  resume: {
    summary: 'go on with a run as it began; needs none of its flags',
    usage: '[RUN] [options]',
    operands: aRun,
    options: driving,
  },
  retry: {
    summary: 'new attempts for rows that failed',
    usage: '[RUN] [options]',
    operands: aRun,
    options: ['only', 'error', 'model', 'maxTokens', 'truncate', ...driving],
    examples: [
      'nightshift retry reviews --only truncated --max-tokens 512',
      "nightshift retry reviews --error 'too long' --truncate text=4000",
    ],
  },
  status: {
    summary: 'where a run stands, from its folder',
    usage: '[RUN] [options]',
    operands: aRun,
    options: ['refresh', 'exitStatus', ...asked],
  },
  ls: {
    summary: 'the runs of the state folder',
    usage: '[options]',
    operands: { min: 0, max: 0 },
    options: talk,
  },
  watch: {
    summary: 'look on while another process works on a run',
    usage: '[RUN] [options]',
    operands: aRun,
    options: ['wait', 'progress', ...talk],
  },
  results: {
    summary: 'the rows with their answers, at any time',
    usage: '[RUN] [options]',
    operands: aRun,
    options: ['out', 'resultFormat', 'join', 'columns', 'order', 'rowStates', 'follow', ...talk],
    examples: ['nightshift results reviews -o labels.parquet', 'nightshift results reviews --only ok | jq .text'],
  },
  errors: {
    summary: 'what went wrong, grouped, and the command that mends it',
    usage: '[RUN] [options]',
    operands: aRun,
    options: talk,
  },
  show: {
    summary: 'one row: its request, every attempt, its answer',
    usage: '[RUN] KEY [options]',
    operands: { min: 1, max: 2 },
    options: talk,
  },
  cost: {
    summary: 'what a run cost; without a run, what the server of a data folder used',
    usage: 'RUN [options]',
    operands: { min: 1, max: 1 },
    options: ['by', ...talk],
  },
  cancel: {
    summary: 'cancel the batches of a run; finished rows are kept',
    usage: '[RUN] [options]',
    operands: aRun,
    options: ['yes', ...local, ...asked],
  },
  adopt: {
    summary: 'bring batches made elsewhere under a run, or rebuild a run whose folder is gone',
    usage: 'BATCH_ID… --input INPUT [options of run]',
    operands: { min: 1, max: 10_000 },
    options: ['input', ...whole, 'progress', ...talk.filter((name) => name !== 'state')],
  },
  doctor: {
    summary: 'look at the key, the API, the clock, the disk and every run',
    usage: '[RUN] [options]',
    operands: aRun,
    options: asked,
  },
  gc: {
    summary: 'drop the folders of finished runs',
    usage: '[RUN] [options]',
    operands: aRun,
    options: ['olderThan', 'yes', ...talk],
  },
  completion: {
    summary: 'a script that completes commands and flags',
    usage: 'bash|zsh|fish|pwsh',
    operands: { min: 1, max: 1 },
    options: ['color'],
    examples: [
      'source <(nightshift completion bash)',
      'nightshift completion fish > ~/.config/fish/completions/nightshift.fish',
    ],
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof commands;

export const commandNames = Object.keys(commands) as CommandName[];

export function commandOf(name: CommandName): CommandSpec {
  return commands[name];
}

/** `cost` without the name of a run is the server's. */
export function isBulkCommand(argv: readonly string[]): boolean {
  const [name, next] = argv;
  if (name === 'cost') return next !== undefined && !next.startsWith('-');
  return name !== undefined && Object.hasOwn(commands, name);
}
