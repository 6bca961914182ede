/**
 * The pipelines of the other founding documents (000 holds no program; 001 a course's, 003 an article's), run as they stand there but
 * for these corrections:
 *
 *  - `time.sleep` sleeps at most 20 ms
 *  - 001: `client.batches` is `client.messages.batches`: the SDK never had the former
 *  - 003: the key comes from the environment
 *  - 003: an errored result's own error is one level further down
 *  - 003: the page lost its indentation; the digits below restore it
 *
 * What the fragments only name (their documents, tickets and records) is ours.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchClient } from '../support/batch-client.ts';
import { corrected, documentsMissing, indented, programsOf } from '../support/founding-documents.ts';
import { pythonWith } from '../support/installed.ts';
import { runProgram } from '../support/programs.ts';
import { startServer } from '../support/server.ts';

const shortSleeps = 'import time\n_sleep = time.sleep\ntime.sleep = lambda seconds: _sleep(min(seconds, 0.02))\n';

const courseNames = `
import anthropic
client = anthropic.Anthropic()
documents = support_tickets = raw_records = [{"id": f"row-{n}", "text": f"Text {n}"} for n in range(5)]
extract_fields_tool = {"name": "extract", "description": "Keeps fields.", "input_schema": {"type": "object", "properties": {}}}
`;
const courseRest = `
batch = client.messages.batches.create(requests=requests)
while client.messages.batches.retrieve(batch.id).processing_status != "ended":
    time.sleep(1)
kinds = [line.result.type for line in client.messages.batches.results(batch.id)]
assert kinds == ["succeeded"] * 5, kinds
`;

/** One digit a line of each program; lines inside brackets may stand anywhere. */
const articleDepths = [
  '0000011111122222222222221',
  '000001111112222223232',
  '01111111122333323331223100011',
  '011111111233222222222222121111',
  '0011111111222222231',
];
const articleRest = `
assert results and len(results) == 2, results
again = retry_failed_requests(["doc-001", "doc-002"], documents)
assert sorted(again) == ["retry-doc-001", "retry-doc-002"], again
ids = chunk_and_submit_batches(documents, chunk_size=1)
assert [len(download_and_parse_results(poll_batch_until_complete(id).id)) for id in ids] == [1, 1]
broken = client.beta.messages.batches.create(requests=[{"custom_id": "broken", "params": {"model": "m", "max_tokens": 1, "messages": []}}])
assert download_and_parse_results(poll_batch_until_complete(broken.id).id) == {}
assert json.load(open("batch_errors.json"))["broken"].startswith("invalid_request_error: ")
`;

test('the pipelines of the founding documents', { skip: documentsMissing }, async (t) => {
  const server = await startServer(t);
  const command = pythonWith({ name: 'anthropic-1', version: '1.13.0' });
  const run = (text: string): Promise<string> => runProgram(t, { command, list: ['-c', shortSleeps + text], server });
  const course = programsOf('001');

  await t.test("the course's workflow submits, polls and prints every summary", async () => {
    const [workflow] = course.filter(({ language }) => language === 'python');
    const told = await run(corrected(workflow?.text ?? '', [['client.batches', 'client.messages.batches']]));
    assert.match(told, /3 succeeded/);
    for (const id of ['doc-001', 'doc-002', 'doc-003']) assert.ok(told.includes(`--- ${id} ---`), told);
  });

  await t.test("the course's fragments: classification, extraction, prompt caching", async () => {
    const fragments = course.filter(({ language }) => language === 'python').slice(1);
    assert.equal(fragments.length, 3);
    for (const { text } of fragments)
      await run(courseNames + text.replaceAll('client.batches', 'client.messages.batches') + courseRest);
  });

  await t.test("the course's JSON lines are a batch as they are", async () => {
    const client = batchClient(server);
    const body = course.find(({ language }) => language === 'lines')?.text ?? '';
    const { id } = await client.create({ body, headers: { 'content-type': 'application/x-jsonl' } });
    assert.equal((await client.ended(id)).request_counts.succeeded, 3);
  });

  await t.test("the article's pipeline: submit, poll, download, retry, chunks", async () => {
    const parts = programsOf('003').filter(({ language }) => language === 'python');
    assert.equal(parts.length, articleDepths.length);
    const text = parts.map((part, at) => indented(part.text, articleDepths[at] ?? '')).join('\n');
    const told = await run(
      corrected(text, [
        ['api_key="your-api-key"', ''],
        ['error = result.result.error', 'error = result.result.error.error'],
      ]) + articleRest,
    );
    assert.match(told, /Complete\. Succeeded: 2, Errored: 0/);
  });
});
