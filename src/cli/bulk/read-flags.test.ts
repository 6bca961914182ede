// Flags, variables and file of the bulk client: one table, every place treated alike, every refusal naming its place.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { commandNames, commandOf, isBulkCommand, type CommandName } from './commands.ts';
import { headOf, helpOf } from './help.ts';
import { flagOf, optionOf, runOptionNames, variableOf } from './options.ts';
import { readGiven, type Given } from './read-flags.ts';

function read(words: readonly string[], env: Given['env'] = {}): Given {
  const [command, ...argv] = words as [CommandName, ...string[]];
  return readGiven({ command, spec: commandOf(command), argv, env });
}

test('flags are read in every form, and operands stand anywhere', () => {
  const { values, operands } = read([
    'run',
    '-t',
    'x {{a}}',
    'rows.csv',
    '--model=m',
    '-oout.csv',
    '--no-join',
    '--truncate',
    'a=5',
    '--truncate=b=7t',
    '--max-cost',
    '2.5',
    '-y',
  ]);
  assert.deepEqual(operands, ['rows.csv']);
  assert.deepEqual(
    [values.template, values.model, values.out, values.join, values.maxCost, values.yes],
    ['x {{a}}', 'm', 'out.csv', false, 2.5, true],
  );
  assert.deepEqual(values.truncate, [
    { column: 'a', characters: 5, tokens: null },
    { column: 'b', characters: null, tokens: 7 },
  ]);
  assert.deepEqual(read(['run', '-', '--', '--odd.csv'].slice(0, 2)).operands, ['-']);
  assert.deepEqual(read(['status', '--', '--odd']).operands, ['--odd']);
});

test('a flag goes before a variable, a variable before the file, the file before the default', async (t) => {
  const config = join(await scratchFolder(t), 'config.json');
  await writeFile(config, JSON.stringify({ server: { port: 1 }, run: { retries: 7, model: 'file', maxTokens: 9 } }));
  const { values, said } = read(['run', 'x', '--config', config, '--model', 'flag'], {
    NIGHTSHIFT_RUN_MODEL: 'variable',
    NIGHTSHIFT_RUN_MAX_TOKENS: '8',
    ANTHROPIC_BASE_URL: 'http://h:1/',
  });
  assert.deepEqual(
    [values.model, values.maxTokens, values.retries, values.cache, values.baseUrl],
    ['flag', 8, 7, 'auto', 'http://h:1'],
  );
  assert.ok(said.has('retries') && !said.has('cache'));
  // The part holds options of several commands: what is another's is left to it.
  assert.equal(read(['status', '--config', config]).values.retries, 3);
});

test('what is wrong is named with its place and the remedy', async (t) => {
  const config = join(await scratchFolder(t), 'config.json');
  await writeFile(config, JSON.stringify({ run: { retreis: 7 } }));
  for (const [words, env, message, hint] of [
    [['run', '--tempalte', 'x'], {}, 'unknown option --tempalte', 'Did you mean --template?'],
    [['run', '--zzzzzz'], {}, 'unknown option --zzzzzz', 'See: nightshift run --help'],
    [
      ['run', '--api-key', 'hunter2'],
      {},
      '--api-key is not an option: secrets do not belong on the command line',
      'Set the variable ANTHROPIC_API_KEY.',
    ],
    [['run', '--model'], {}, '--model needs a value', 'Expected the name of a model.'],
    [['run', '--model', '--yes'], {}, '--model needs a value', 'Expected the name of a model.'],
    [['run', '-m', 'a', '-m', 'b'], {}, '-m is given twice', 'Give it once.'],
    [['run', 'a', 'b'], {}, 'unexpected argument "b"', 'Usage: nightshift run INPUT|- [options]'],
    [['show'], {}, 'an argument is missing', 'Usage: nightshift show [RUN] KEY [options]'],
    [['run', '--retries', 'x'], {}, '--retries: "x" is not accepted', 'Expected a whole number from 0 to 100.'],
    [
      ['run'],
      { NIGHTSHIFT_RUN_CACHE: '7m' },
      'NIGHTSHIFT_RUN_CACHE: "7m" is not accepted',
      'Expected one of auto, 5m, 1h, off.',
    ],
    [['run', '--config', config], {}, `${config}: run: unknown key "retreis"`, 'Did you mean "retries"?'],
    [['run', '--config', '/nowhere'], {}, /cannot read \/nowhere/, /Make it a readable file/],
    [['retry', '--only', 'ok'], {}, '--only: "ok" is not accepted', /some of errored, expired/],
    [['run', '--chunk-bytes', '1gb'], {}, '--chunk-bytes: "1gb" is not accepted', /at most 250mb/],
    [['run', '--fallback', '30m'], {}, '--fallback: "30m" is not accepted', /sync@30m/],
    [['run', '--on-too-long', 'cut'], {}, '--on-too-long: "cut" is not accepted', /truncate:COLUMN=LENGTH/],
  ] as const) {
    assert.throws(() => read(words, env), { message, hint }, words.join(' '));
  }
});

test('every option has one flag in each command that takes it, and is in its help', () => {
  for (const command of commandNames) {
    const help = helpOf(command);
    const flags = commandOf(command).options.map(flagOf);
    assert.equal(new Set(flags).size, flags.length, command);
    for (const name of commandOf(command).options) assert.ok(help.includes(headOf(name)), `${command} ${name}`);
  }
  const taken = new Set(commandNames.flatMap((command) => commandOf(command).options));
  assert.deepEqual(
    runOptionNames.filter((name) => !taken.has(name)),
    [],
  );
  assert.equal(new Set(runOptionNames.map(variableOf)).size, runOptionNames.length);
  for (const name of runOptionNames) {
    const { fallback, reader, many } = optionOf(name);
    if (fallback !== null && !(fallback instanceof Array) && many !== true)
      assert.deepEqual(reader.read(reader.show(fallback)), fallback, name);
  }
});

test('cost is the server’s, and with a name the run’s', () => {
  for (const [words, is] of [
    [['cost'], false],
    [['cost', '--since', '24h'], false],
    [['cost', 'reviews'], true],
    [['run'], true],
    [['serve'], false],
    [[], false],
    [['toString'], false],
  ] as const)
    assert.equal(isBulkCommand(words), is, words.join(' '));
});
