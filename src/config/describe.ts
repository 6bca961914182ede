/** The options in words: the list of the help, and docs/configuration.md. */
import {
  fileKeyOf,
  flagOf,
  optionNames,
  options,
  variableOf,
  type Option,
  type OptionGroup,
  type OptionName,
} from './options.ts';

const FLAG_COLUMN = 38;

export function optionsHelp(): string {
  return [...groups()].map(([group, names]) => `${group}:\n${names.map(helpLine).join('')}`).join('\n');
}

function helpLine(name: OptionName): string {
  const head = heading(name);
  const gap =
    head.length > FLAG_COLUMN ? `\n${' '.repeat(FLAG_COLUMN + 3)}` : ' '.repeat(FLAG_COLUMN - head.length + 1);
  return `  ${head}${gap}${optionOf(name).prose} [${fallbackOf(name)}]\n`;
}

function heading(name: OptionName): string {
  const { from, reader } = optionOf(name);
  return from === 'variable' ? variableOf(name) : `${flagOf(name)} ${reader.placeholder}`;
}

function fallbackOf(name: OptionName): string {
  const { shownFallback, reader, fallback } = optionOf(name);
  return shownFallback ?? reader.show(fallback);
}

function optionOf(name: OptionName): Option<unknown> {
  return options[name] as Option<unknown>;
}

function groups(): Map<OptionGroup, OptionName[]> {
  return Map.groupBy(optionNames, (name) => options[name].group);
}

export function configurationPage(): string {
  return `${introduction}\n${[...groups()].map(([group, names]) => table(group, names)).join('\n')}\n${fileProse}`;
}

function table(group: OptionGroup, names: readonly OptionName[]): string {
  const rows = names.map((name) => {
    const { from, reader, prose, standard = [] } = optionOf(name);
    const places = [
      from === 'variable' ? '–' : `\`${flagOf(name)}\``,
      [variableOf(name), ...standard].map((variable) => `\`${variable}\``).join(', '),
      from === 'anywhere' ? `\`${fileKeyOf(name)}\`` : '–',
    ];
    return `| ${[...places, fallbackOf(name), `${prose} Expects ${reader.accepts}.`].join(' | ')} |\n`;
  });
  return `## ${group}\n\n| flag | variable | key in the file | default | what it does |\n|---|---|---|---|---|\n${rows.join('')}`;
}

const introduction = `# Configuration

<!-- Written by scripts/generate-configuration.ts from the table in src/config/options.ts; a test says whether it is current. -->

Every option of \`nightshift serve\` can be given as a flag, as a variable or in the configuration file; the flag goes before the variable,
the variable before the file, the file before the default. An option, key or value that is not known is refused; an unknown variable is warned of.
Secrets are read from variables only. Where several variables are named, the others are OpenTelemetry's, and count where ours says nothing in\nany place; \`OTEL_SDK_DISABLED=true\` switches traces off.
`;

const fileProse = `## The configuration file

JSON with the parts \`server\` (the keys above), \`upstreams\`, \`models\` and \`run\` (for the bulk client; ignored by the server).

\`\`\`json
{
  "server": { "port": 2424, "data": "/var/lib/nightshift", "window": "24h" },
  "upstreams": {
    "local": {
      "protocol": "anthropic",
      "url": "http://127.0.0.1:11434",
      "concurrency": 64,
      "limits": { "requestsPerMinute": 6000, "tokensPerMinute": 2000000 }
    }
  },
  "models": {
    "claude-*": { "upstream": "local", "model": "qwen3:8b" },
    "*": { "upstream": "local" }
  }
}
\`\`\`

| key of an upstream | what it says |
|---|---|
| \`protocol\` | \`anthropic\` for whatever speaks the Messages API, \`openai\` for chat completions, or \`simulator\` |
| \`url\` | where it is |
| \`profile\` | with \`openai\`: what kind of server it is, as for \`--upstream-profile\` |
| \`apiKeyEnv\` | the variable that holds its key; a single upstream may leave it out and use \`NIGHTSHIFT_UPSTREAM_API_KEY\` |
| \`billing\` | \`standard\` (list price), \`own\` (your machines) or \`simulated\`; by default \`standard\` for api.anthropic.com and api.openai.com, \`own\` elsewhere |
| \`prices\` | what a machine of your own costs, where \`billing\` is \`own\`: \`input\`, \`output\` and, if they differ from \`input\`, \`cacheRead\` and \`cacheWrite\`, in dollars for a million tokens; without it the cost is unknown |
| \`concurrency\` | calls in flight at once for each of its models; the option \`concurrency\`, when given, caps it |
| \`limits\` | \`requestsPerMinute\` and \`tokensPerMinute\` for each of its models |

A key of \`models\` is a name, or the beginning of names followed by \`*\`. Exact names go before patterns, longer patterns before shorter ones.
\`model\` is the name at the upstream; without it the name in the request is used. Without \`models\` a single upstream takes every model.
An \`upstream\` given as flag or variable takes every model, and the parts \`upstreams\` and \`models\` are not used.
`;
