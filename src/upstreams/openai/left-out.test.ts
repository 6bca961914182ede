import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BILLING_BLOCK, harmlessBlocks, harmlessInBlocks, harmlessInTools, harmlessParams } from './left-out.ts';
import { profileNames } from './profile.ts';

const page = readFileSync(new URL('../../../docs/upstreams/openai.md', import.meta.url), 'utf8');

test('the page names everything that is left out without an error', () => {
  const [, section] = page.split('## What is left out without an error');
  const tables = [harmlessParams, harmlessInBlocks, harmlessInTools, harmlessBlocks];
  for (const name of [BILLING_BLOCK, ...tables.flatMap((table) => [...table.keys()])]) {
    assert.ok(section?.includes(`\`${name}`), `${name} is not on the page`);
  }
});

test('the page has a column for every profile', () => {
  assert.ok(page.includes(`| | ${profileNames.map((name) => `\`${name}\``).join(' | ')} |`));
});
