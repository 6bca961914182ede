// What a reader may expect of every file: a first sentence, a bounded length, no hidden clock or chance in the core, no debris.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { isTestFile, readSource, root, sourceExists, sourceFiles, withoutComments } from './support/sources.ts';

const FILE_LINES_MAX = 400;
const FILE_BYTES_MAX = 1024 * 1024;

type Ban = { readonly word: RegExp; readonly instead: string };

const clocksAndChance: readonly Ban[] = [
  { word: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, instead: 'ask the Clock of the World' },
  { word: /(?<![.\w])set(Timeout|Interval|Immediate)\b/, instead: 'ask the Timers of the World' },
  { word: /\bMath\.random\b|\brandom(UUID|Bytes)\(/, instead: 'ask the Chance of the World' },
  { word: /(?<![.\w])fetch\(/, instead: 'use the Send of the World' },
];
const environment: readonly Ban[] = [
  { word: /\bprocess\.env\b/, instead: 'read the environment in src/config.ts alone' },
  { word: /\bprocess\.exit\(/, instead: 'throw, and let src/cli decide' },
];
const debris: readonly Ban[] = [
  { word: /\b(TODO|FIXME|XXX)\b/, instead: 'do it, or write it into docs' },
  { word: /\b(test|it|describe|suite)\.only\(|\bonly: true\b/, instead: 'run every test' },
  { word: /@ts-(ignore|nocheck)\b/, instead: 'use @ts-expect-error with a reason' },
];

/** Parts that hold no clock, chance, network or environment of their own. */
const core = ['domain', 'bytes', 'scheduler', 'dialects', 'ports', 'engine', 'http', 'simulator', 'money'];
const everywhere = ['src', 'sim', 'bench', 'scripts', 'test', 'chaos', 'examples'].map((folder) => `${folder}/**/*.ts`);
const files = sourceFiles(...everywhere);
const source = files.filter((file) => file.startsWith('src/') && !isTestFile(file));

test('every file is at most 400 lines long', () => {
  const faults = files
    .map((file) => ({ file, lines: readSource(file).trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > FILE_LINES_MAX);
  report(
    faults.map(({ file, lines }) => `${file}: ${lines} lines`),
    'Split these',
  );
});

test('every file opens with a sentence on its purpose', () => {
  // A test beside its source has its purpose in its name.
  const own = files.filter((file) => !(file.endsWith('.test.ts') && sourceExists(file.replace('.test.ts', '.ts'))));
  const faults = own.filter((file) => !/^(#![^\n]*\n)?(\/\/|\/\*\*?)\s*\S/.test(readSource(file)));
  report(faults, 'The first line must be a comment that says what the file is for');
});

test('the core has no clock, chance, network or environment of its own', () => {
  const coreFiles = source.filter((file) => core.includes(file.split('/')[1]!));
  report(banned(coreFiles, [...clocksAndChance, ...environment]), 'The outside comes in through World and config');
});

test('only the configuration reads the environment, and only the command exits', () => {
  const outside = source.filter((file) => !/^src\/(config\.ts|cli\/)/.test(file));
  report(banned(outside, environment), 'The environment and the exit have one place each');
});

test('no tests use sleeps', () => {
  const sleeps = {
    word: /(?<![.\w])await (sleep|delay)\(|timers\/promises/,
    instead: 'await an event, or move the clock',
  };
  const tests = files.filter((file) => file.startsWith('src/') && isTestFile(file));
  report(banned(tests, [sleeps]), 'Tests that wait for time to pass');
});

test('only commands write to the console', () => {
  const console = { word: /\bconsole\.\w+\(/, instead: 'emit an event' };
  report(
    banned(
      source.filter((file) => !file.startsWith('src/cli/')),
      [console],
    ),
    'Output outside of src/cli',
  );
});

test('nothing is left lying about', () => {
  const own = 'test/tidy.test.ts';
  const words = files.filter((file) => file !== own).flatMap((file) => matches(file, readSource(file), debris));
  const barrels = source.filter((file) => file.endsWith('/index.ts')).map((file) => `${file}: no barrels in src`);
  const vague = source.filter((file) => /\b(utils?|helpers?|manager|common|misc)\b/.test(path.posix.basename(file)));
  report([...words, ...barrels, ...vague.map((file) => `${file}: name what it holds`)], 'Debris');
});

test('file names are kebab-case', () => {
  const faults = files.filter((file) => !/^[a-z0-9]+([.-][a-z0-9]+)*\.ts$/.test(path.posix.basename(file)));
  report(faults, 'Rename these');
});

test('every markdown file has one title, in its first line', () => {
  const faults = committable('.md').flatMap((file) => {
    const titles = withoutFences(readSource(file)).filter((line) => line.startsWith('# ')).length;
    if (titles !== 1) return [`${file}: ${titles} titles`];
    return readSource(file).startsWith('# ') ? [] : [`${file}: the title is not the first line`];
  });
  report(faults, 'Markdown');
});

test('links between the documents lead somewhere', () => {
  const faults = committable('.md').flatMap((file) =>
    [
      ...withoutFences(readSource(file))
        .join('\n')
        .matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g),
    ]
      .map((match) => path.posix.join(path.posix.dirname(file), match[1]!))
      .filter((target) => !sourceExists(target))
      .map((target) => `${file} links to ${target}, which does not exist`),
  );
  report(faults, 'Broken links');
});

test('no file is larger than one MiB', () => {
  const faults = committable('').filter((file) => statSync(path.join(root, file)).size > FILE_BYTES_MAX);
  report(faults, 'Too large for a repository of source');
});

test('the lock file names no host and lists every optional package', () => {
  const text = readSource('package-lock.json');
  assert.ok(!text.includes('"resolved"'), 'package-lock.json holds "resolved": the registry is the reader\'s choice');
  type Entry = { optionalDependencies?: Record<string, string>; hasInstallScript?: boolean };
  const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };
  const entries = Object.entries(packages);
  const missing = entries.flatMap(([folder, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !(`node_modules/${name}` in packages) && !(`${folder}/node_modules/${name}` in packages))
      .map((name) => `${name}, which ${folder} may need on another platform`),
  );
  report(missing, 'npm ci refuses a lock file without these');
  const scripted = entries.filter(([, entry]) => entry.hasInstallScript).map(([folder]) => folder);
  report(scripted, 'Packages with install scripts, which npm blocks');
});

function banned(list: readonly string[], bans: readonly Ban[]): readonly string[] {
  return list.flatMap((file) => matches(file, withoutComments(readSource(file)), bans));
}

function matches(file: string, text: string, bans: readonly Ban[]): readonly string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      bans
        .filter((ban) => ban.word.test(line))
        .map((ban) => `${file}:${index + 1} ${line.trim().slice(0, 80)}  (${ban.instead})`),
    );
}

/** What git would commit: tracked files, and new ones that are not ignored; all but deleted ones. */
function committable(ending: string): readonly string[] {
  const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' });
  if (listed.status !== 0) return sourceFiles(`*${ending}`, `{src,docs,examples,test}/**/*${ending || '.*'}`);
  return listed.stdout.split('\0').filter((file) => file !== '' && file.endsWith(ending) && sourceExists(file));
}

function withoutFences(text: string): readonly string[] {
  let fenced = false;
  return text.split('\n').filter((line) => {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    return !fenced;
  });
}

function report(faults: readonly string[], heading: string): void {
  assert.ok(faults.length === 0, `${heading}:\n  ${faults.join('\n  ')}`);
}
