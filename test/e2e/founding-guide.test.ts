/**
 * The programs of the official guide (founding document 002), run as they stand there but for these corrections:
 *
 *  - the API's address is the server's; the shell's names it, the SDKs have it from their variable
 *  - waits of a minute are waits of 50 ms
 *  - MESSAGE_BATCH_ID and the id in the results programs are those of a batch of ours
 *  - `invalid_request` is `invalid_request_error`, two levels down: what the API has always sent (Python, TypeScript)
 *  - shell programs that say `sh` use `[[` and `&>`: they run in bash
 *  - the TypeScript programs lost their import line
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { batchClient, type BatchClient } from '../support/batch-client.ts';
import { corrected, documentsMissing, programsOf, type Language } from '../support/founding-documents.ts';
import { pythonWith, requireProgram } from '../support/installed.ts';
import { runProgram } from '../support/programs.ts';
import { bodyOf, paramsOf, requestOf, rows } from '../support/rows.ts';
import { startServer, type Server } from '../support/server.ts';
import { root } from '../support/sources.ts';

type Run = (text: string, server: Server, batchId?: string) => Promise<string>;
type Corrections = readonly (readonly [string | RegExp, string])[];

const programs = ['create', 'poll', 'list', 'results', 'cancel', 'caching'] as const;
const exampleId = /msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d/g;
const NEVER_ENDING = ['--simulator-latency', '1h', '--cancel-grace', '0'];

test('the programs of the official guide', { skip: documentsMissing }, async (t) => {
  const [server, slow, late] = await Promise.all([
    startServer(t),
    startServer(t, { flags: NEVER_ENDING }),
    startServer(t, { flags: [...NEVER_ENDING, '--window', '500ms'] }),
  ]);
  for (const language of ['shell', 'python', 'typescript'] as const) {
    const texts = textsOf(language);
    const run = runnerOf(t, language);
    const client = batchClient(server);
    let created = '';

    await t.test(`${language}: create, and poll until it has ended`, async () => {
      created = idIn(await run(texts.create, server));
      assert.match(
        await run(corrected(texts.poll, shortWaits[language]), server, created),
        /finished processing|ended/,
      );
      assert.equal((await client.results(created)).length, 2);
    });
    await t.test(`${language}: create with prompt caching`, async () => {
      const before = (await client.list()).length;
      await run(texts.caching, server);
      assert.equal((await client.list()).length, before + 1);
    });
    await t.test(`${language}: list every batch, over several pages`, async () => {
      const ids = await manyBatches(client);
      assert.deepEqual(idsIn(await run(texts.list, server)), ids);
    });
    await t.test(`${language}: results, good and bad`, async () => {
      const mixed = await ended(client, bodyOf([requestOf({ id: 'good', params: paramsOf('Hello') }), broken]));
      const told = await run(corrected(texts.results, [[exampleId, mixed], ...errorAccess[language]]), server);
      assert.match(told, /Success! good/);
      assert.match(told, /Validation error:? broken/);
    });
    await t.test(`${language}: results of requests that expired`, async () => {
      const expired = await ended(batchClient(late), rows(2).body);
      const told = await run(corrected(texts.results, [[exampleId, expired], ...errorAccess[language]]), late);
      assert.match(told, /[Ee]xpired:? .*row-0[^]*[Ee]xpired:? .*row-1|[Ee]xpired:? .*row-1[^]*[Ee]xpired:? .*row-0/);
    });
    await t.test(`${language}: cancel`, async () => {
      const { id } = await batchClient(slow).create({ body: rows(2).body });
      assert.match(await run(texts.cancel, slow, id), /canceling/);
      assert.equal((await batchClient(slow).ended(id)).request_counts.canceled, 2);
    });
  }
});

const broken = requestOf({ id: 'broken', params: '{"model":"test-model","max_tokens":16,"messages":[]}' });

const shortWaits: Readonly<Record<string, Corrections>> = {
  shell: [['sleep 60', 'sleep 0.05']],
  python: [['time.sleep(60)', 'time.sleep(0.05)']],
  typescript: [['60_000', '50']],
};

const errorAccess: Readonly<Record<string, Corrections>> = {
  shell: [['"invalid_request"', '"invalid_request_error"']],
  python: [['error.type == "invalid_request"', 'error.error.type == "invalid_request_error"']],
  typescript: [['error.type == "invalid_request"', 'error.error.type == "invalid_request_error"']],
};

function textsOf(language: Language): Readonly<Record<(typeof programs)[number], string>> {
  const found = programsOf('002').filter((program) => program.language === language);
  assert.equal(found.length, programs.length, `the guide has ${programs.length} ${language} programs`);
  return Object.fromEntries(programs.map((name, at) => [name, found[at]?.text])) as Record<
    (typeof programs)[number],
    string
  >;
}

function runnerOf(t: TestContext, language: 'shell' | 'python' | 'typescript'): Run {
  if (language === 'shell') {
    requireProgram('curl');
    requireProgram('jq');
    return (text, server, batchId) => {
      const list = ['-euo', 'pipefail', '-c', corrected(text, [['https://api.anthropic.com', server.url]])];
      return runProgram(t, { command: 'bash', list, server, ...batchIdOf(batchId) });
    };
  }
  if (language === 'python') {
    const command = pythonWith({ name: 'anthropic-2', version: '>=2,<3' });
    return (text, server, batchId) => {
      const given = batchId === undefined ? '' : `MESSAGE_BATCH_ID = "${batchId}"\n`;
      return runProgram(t, { command, list: ['-c', given + text], server });
    };
  }
  return (text, server, batchId) => {
    const given = batchId === undefined ? '' : `const MESSAGE_BATCH_ID = "${batchId}";\n`;
    const list = ['--input-type=module', '-e', `import Anthropic from '@anthropic-ai/sdk';\n${given}${text}`];
    return runProgram(t, { command: process.execPath, list, server, folder: root });
  };
}

function batchIdOf(batchId: string | undefined): { env?: Record<string, string> } {
  return batchId === undefined ? {} : { env: { MESSAGE_BATCH_ID: batchId } };
}

async function ended(client: BatchClient, body: string): Promise<string> {
  const { id } = await client.create({ body });
  return (await client.ended(id)).id;
}

/** More than the two pages of 20 that the programs ask for. */
async function manyBatches(client: BatchClient): Promise<readonly string[]> {
  const missing = Math.max(0, 45 - (await client.list()).length);
  await Promise.all(Array.from({ length: missing }, () => client.create({ body: rows(1).body })));
  return (await client.list()).map(({ id }) => id).toSorted();
}

function idsIn(output: string): readonly string[] {
  return [...new Set(output.match(/msgbatch_\w+/g) ?? [])].toSorted();
}

function idIn(output: string): string {
  const [id] = idsIn(output);
  assert.ok(id !== undefined, `no id of a batch in: ${output}`);
  return id;
}
