/** What docs/simulator.md tells its readers to run, run as it stands there, against a simulator on a port of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { profileNames } from '../../src/simulator/profile.ts';
import { pythonWith } from '../support/installed.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { outsideEnvironment } from '../support/server.ts';
import { startSimulator } from '../support/simulator.ts';
import { readSource, root } from '../support/sources.ts';

const document = readSource('docs/simulator.md');
const run = promisify(execFile);

function blocksOf(language: string): readonly string[] {
  return [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, block]) => block!);
}

/** The program of a block in a folder where the packages of this project are found. */
async function programOf(t: TestContext, { name, text }: { name: string; text: string }): Promise<string> {
  const folder = await scratchFolder(t);
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  await writeFile(path.join(folder, name), text);
  return path.join(folder, name);
}

test('the documentation of the simulator holds', async (t) => {
  const { url } = await startSimulator(t);
  const here = (text: string): string => text.replaceAll('http://127.0.0.1:2425', url);
  const env = outsideEnvironment();

  await t.test('its commands', async () => {
    const [start, ...commands] = blocksOf('sh');
    assert.equal(start, 'nightshift simulator --port 2425\n');
    const expected = [
      /"text":"\[simulated\] .*Hello, world/,
      /"name":"get_weather","input":\{"city":/,
      /data: \[DONE\]/,
      /^HTTP\/1\.1 529 /,
    ];
    assert.equal(commands.length, expected.length);
    for (const [at, command] of commands.entries()) {
      const { stdout } = await run('bash', ['-c', here(command)], { env });
      assert.match(stdout, expected[at]!, command);
    }
  });
  await t.test('its Python example', async (subtest) => {
    const text = `${here(blocksOf('python')[0]!)}\nfor name, one in list(globals().items()):\n    if name.startswith("test_"): one()\n`;
    const file = await programOf(subtest, { name: 'test_pipeline.py', text });
    await run(pythonWith({ name: 'anthropic-1', version: '1.13.0' }), [file], { env });
  });
  await t.test('its TypeScript example', async (subtest) => {
    const file = await programOf(subtest, { name: 'pipeline.test.ts', text: here(blocksOf('ts')[0]!) });
    await run(process.execPath, [file], { env });
  });
  await t.test('its triggers and profiles are those there are', async () => {
    for (const [, name] of document.matchAll(/^\| `(steady|slow|throttled|flaky|brown-out|hanging|garbage)` \|/gm)) {
      assert.ok(profileNames.includes(name as (typeof profileNames)[number]));
    }
    for (const name of profileNames) assert.match(document, new RegExp(`^\\| \`${name}\` \\|`, 'm'));
    const rows = [...document.matchAll(/^\| `\[\[simulate:(\w+)\]\]` \| (\d{3}) `(\w+)`/gm)];
    assert.equal(rows.length, 10);
    for (const [, name, status, type] of rows) {
      const body = JSON.stringify({
        model: 'm',
        max_tokens: 9,
        messages: [{ role: 'user', content: `[[simulate:${name}]]` }],
      });
      const response = await fetch(`${url}/v1/messages`, {
        method: 'POST',
        headers: { 'anthropic-version': '2023-06-01' },
        body,
      });
      const { error } = (await response.json()) as { error: { type: string } };
      assert.deepEqual([String(response.status), error.type], [status, type], name);
    }
  });
});
