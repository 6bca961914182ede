/** `nightshift completion SHELL`: a script made of the tables, so that a shell completes what the command knows. */
import { ConfigError } from '../../config/read.ts';
import { commandNames, commandOf, type CommandName } from './commands.ts';
import { exits, type Exit } from './exits.ts';
import { optionOf } from './options.ts';
import { namesOf, type Given } from './read-flags.ts';

const others: Readonly<Record<string, string>> = {
  serve: 'start the server',
  exec: 'run a program against a server of its own',
  simulator: 'start the built-in model as a server',
  workspaces: 'the workspaces of a server',
  keys: 'the keys of a server',
  prices: 'the price list',
  version: 'print the version',
  help: 'print the help',
};

const shells: Readonly<Record<string, () => string>> = { bash, zsh, fish, pwsh };

export async function completion({ operands }: Given): Promise<Exit> {
  const script = shells[operands[0]!];
  if (script === undefined)
    throw new ConfigError(
      `there is no completion for ${JSON.stringify(operands[0])}`,
      `Expected one of ${Object.keys(shells).join(', ')}.`,
    );
  process.stdout.write(script());
  return exits.done;
}

function allCommands(): readonly (readonly [string, string])[] {
  return [...commandNames.map((name) => [name, commandOf(name).summary] as const), ...Object.entries(others)];
}

function flagsOf(command: CommandName): readonly string[] {
  const flags = commandOf(command).options.flatMap((name) => {
    const [flag, ...more] = namesOf(name);
    return optionOf(name).isSwitch && optionOf(name).fallback === true ? [more.at(-1)!] : [flag!];
  });
  return [...new Set([...flags, '--help'])];
}

function bash(): string {
  const cases = commandNames.map((name) => `    ${name}) flags='${flagsOf(name).join(' ')}' ;;`);
  return `# nightshift completion bash: source <(nightshift completion bash)
_nightshift() {
  local word=\${COMP_WORDS[COMP_CWORD]} flags=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${allCommands()
      .map(([name]) => name)
      .join(' ')}' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _nightshift nightshift
`;
}

function zsh(): string {
  const described = allCommands().map(([name, summary]) => `    '${name}:${quotedForZsh(summary)}'`);
  const cases = commandNames.map((name) => `    ${name}) compadd -- ${flagsOf(name).join(' ')} ;;`);
  return `#compdef nightshift
# nightshift completion zsh > a folder of $fpath, as _nightshift
_nightshift() {
  local -a names
  names=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command names
    return
  fi
  if [[ $PREFIX != -* ]]; then
    _files
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _nightshift nightshift
`;
}

function quotedForZsh(text: string): string {
  return text.replaceAll("'", String.raw`'\''`).replaceAll(':', String.raw`\:`);
}

function fish(): string {
  const lines = allCommands().map(
    ([name, summary]) => `complete -c nightshift -n __fish_use_subcommand -a ${name} -d '${quotedForFish(summary)}'`,
  );
  const flags = commandNames.flatMap((command) =>
    commandOf(command).options.map((name) => {
      const { short, prose, isSwitch, fallback } = optionOf(name);
      const [flag, ...more] = namesOf(name);
      const shown = isSwitch && fallback === true ? more.at(-1)! : flag!;
      const parts = [
        `-l ${shown.slice(2)}`,
        ...(short === undefined ? [] : [`-s ${short}`]),
        ...(isSwitch ? [] : ['-r']),
      ];
      return `complete -c nightshift -n '__fish_seen_subcommand_from ${command}' ${parts.join(' ')} -d '${quotedForFish(prose)}'`;
    }),
  );
  return `# nightshift completion fish > ~/.config/fish/completions/nightshift.fish\n${[...lines, ...flags].join('\n')}\n`;
}

function quotedForFish(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`);
}

function pwsh(): string {
  const list = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(', ');
  const cases = commandNames.map((name) => `    '${name}' = @(${list(flagsOf(name))})`);
  return `# nightshift completion pwsh | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName nightshift -ScriptBlock {
  param($word, $line, $cursor)
  $flags = @{
${cases.join('\n')}
  }
  $words = $line.CommandElements | ForEach-Object { $_.ToString() }
  $first = @(${list(allCommands().map(([name]) => name))})
  $isFirst = $words.Count -le 1 -or ($words.Count -eq 2 -and $word -ne '')
  $known = if ($isFirst) { $first } else { $flags[$words[1]] }
  $known | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`;
}
