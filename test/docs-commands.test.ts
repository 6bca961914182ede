// Starts of the server that the documents show: their options and configuration files are taken as they stand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig, type Config } from '../src/config.ts';
import { readSource, sourceFiles } from './support/sources.ts';

const documents = ['README.md', ...sourceFiles('docs/**/*.md')];

/** Code blocks of one language. */
function blocks(document: string, language: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm');
  return [...readSource(document).matchAll(fence)].map(([, code]) => code);
}

function configOf(given: { readonly argv?: readonly string[]; readonly file?: string }): Config {
  const env = { ANTHROPIC_UPSTREAM_KEY: 'sk-ant-test' };
  return readConfig({ argv: given.argv ?? [], env, readFile: () => given.file ?? null, terminal: false });
}

test('every option of a start is one', () => {
  const starts = documents.flatMap((document) =>
    blocks(document, 'sh').flatMap((code) => [...code.matchAll(/\b(?:nightshift (?:serve|exec)|npm start --) (.*)/g)]),
  );
  assert.ok(starts.length > 10);
  for (const [, words] of starts) {
    const argv = words
      .split(/ #| -- |^-- /)[0]
      .split(' ')
      .filter(Boolean);
    assert.doesNotThrow(() => configOf({ argv }), words);
  }
});

test('every configuration file is taken', () => {
  const files = documents.flatMap((document) =>
    blocks(document, 'json').filter((code) => /"(upstreams|server)":/.test(code)),
  );
  assert.ok(files.length >= 4);
  for (const file of files) assert.deepEqual(configOf({ file }).warnings, [], file);
});
