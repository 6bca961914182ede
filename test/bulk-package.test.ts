/** The library by its public name, from the package as it is built: what a program of somebody else imports. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fakeBatches } from './support/fake-batches.ts';
import { scratchFolder } from './support/scratch-folder.ts';
import { outsideEnvironment } from './support/server.ts';
import { root } from './support/sources.ts';

const execute = promisify(execFile);

const program = `
import Anthropic from '@anthropic-ai/sdk';
import { bulk, errorOf, type BulkResult } from 'nightshift/bulk';

type Row = { readonly id: string; readonly text: string };
const rows: Row[] = [{ id: 'a', text: 'one' }, { id: 'b', text: 'two' }];
const client = new Anthropic();
const run = bulk(client, rows, (row) => ({ model: 'claude-haiku-4-5', max_tokens: 64, messages: [{ role: 'user', content: row.text }] }), { key: (row) => row.id });
for await (const result of run) {
  const known: BulkResult<Row> = result;
  if (known.status === 'ok') console.log(known.key, known.item.text, known.text);
  else console.log(known.status, errorOf(known));
}
await run.close();
`;

test(
  'the built package gives the library and its types to a program with the official client',
  { timeout: 170_000 },
  async (t) => {
    const build = await scratchFolder(t);
    for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'src', 'bin'])
      cpSync(path.join(root, name), path.join(build, name), { recursive: true });
    symlinkSync(path.join(root, 'node_modules'), path.join(build, 'node_modules'));
    await execute(process.execPath, ['scripts/build.ts'], { cwd: build });

    const user = await scratchFolder(t);
    const modules = path.join(user, 'node_modules');
    mkdirSync(path.join(modules, '@anthropic-ai'), { recursive: true });
    mkdirSync(path.join(modules, '@types'), { recursive: true });
    symlinkSync(build, path.join(modules, 'nightshift'));
    symlinkSync(path.join(root, 'node_modules', '@anthropic-ai', 'sdk'), path.join(modules, '@anthropic-ai', 'sdk'));
    symlinkSync(path.join(root, 'node_modules', '@types', 'node'), path.join(modules, '@types', 'node'));
    writeFileSync(path.join(user, 'package.json'), '{ "type": "module" }\n');
    writeFileSync(path.join(user, 'program.ts'), program);
    const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'esnext',
      '--types',
      'node',
      'program.ts',
    ];
    await execute(process.execPath, [compiler, ...flags], { cwd: user }).catch((error: { stdout: string }) =>
      assert.fail(error.stdout),
    );

    const fake = await fakeBatches(t);
    const env = { ...outsideEnvironment(), ANTHROPIC_API_KEY: fake.key, ANTHROPIC_BASE_URL: fake.url };
    const { stdout } = await execute(process.execPath, ['program.ts'], { cwd: user, env });
    assert.deepEqual(stdout.trim().split('\n').toSorted(), ['a one answer to one', 'b two answer to two']);
  },
);
