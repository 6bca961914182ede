// Keeps the documents in step with the code they speak of: errors, metrics, limits, commands and the words of the glossary.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { errorCatalogue } from '../src/domain/errors.ts';
import * as limits from '../src/domain/limits.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { readSource, sourceExists, sourceFiles } from './support/sources.ts';

type ErrorRow = { readonly status: number; readonly type: string };

const documents = ['README.md', 'CONTRIBUTING.md', ...sourceFiles('docs/**/*.md')];

test('docs/errors.md lists every error of the catalogue, and none that is gone', () => {
  const rows = [...readSource('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \| `(\w+)` \|/gm)];
  const documented = Object.fromEntries(
    rows.map(([, code, status, type]): [string, ErrorRow] => [code, { status: Number(status), type }]),
  );
  assert.deepEqual(documented, errorCatalogue);
});

test('docs/operate.md names every metric of ours, and none that is gone', async () => {
  const { body } = await createMetrics({ process: false }).render();
  const registered = [...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name).sort();
  const table = [...readSource('docs/operate.md').matchAll(/^\| `(nightshift_\w+)` \|/gm)]
    .map(([, name]) => name)
    .sort();
  assert.deepEqual(table, registered);
});

test('figures that the documents tell are those of src/domain/limits.ts', () => {
  const [MiB, second, day] = [1024 * 1024, 1_000, 24 * 3_600_000];
  const figures: readonly (readonly [document: string, text: string])[] = [
    ['README.md', `up to ${count(limits.REQUESTS_PER_BATCH_MAX)} Messages requests`],
    ['docs/compatibility.md', `${count(limits.BODY_BYTES_MAX)} bytes`],
    ['docs/compatibility.md', `${limits.REQUEST_BYTES_MAX / MiB} MiB; more is 413`],
    ['docs/compatibility.md', `${count(limits.HTTP_REQUESTS_PER_MINUTE_DEFAULT)} a minute and workspace`],
    ['docs/compatibility.md', `\`retry-after: ${limits.POLL_AFTER_SECONDS}\``],
    ['docs/compatibility.md', `\`limit\` 1 to ${count(limits.LIST_LIMIT_MAX)}`],
    ['docs/compatibility.md', `${limits.CANCEL_GRACE_MS_DEFAULT / second} seconds to finish`],
    ['docs/compatibility.md', `in the last ${limits.RESEND_WINDOW_MS / 60 / second} minutes`],
    ['docs/compatibility.md', `within ${limits.IDEMPOTENCY_WINDOW_MS / 3_600 / second} hours`],
    ['docs/compatibility.md', `${limits.SYNC_CONCURRENCY_DEFAULT} in flight in a lane`],
    ['docs/compatibility.md', `${limits.SYNC_WAITING_WORKSPACE_MAX} of a workspace waiting`],
    [
      'docs/compatibility.md',
      `${count(limits.SYNC_WAITING_LANE_MAX)} waiting in a lane, or ${limits.SYNC_WAIT_MS_MAX / second} s without a slot`,
    ],
    [
      'docs/compatibility.md',
      `after ${limits.SYNC_RETRY_MS} ms, if a slot is free within ${limits.SYNC_RETRY_WAIT_MS / second} s`,
    ],
    ['docs/operate.md', `at most ${count(limits.UNSYNCED_LINES_MAX)} lines or ${limits.UNSYNCED_BYTES_MAX / MiB} MiB`],
    ['docs/operate.md', `a few files of ${limits.JOURNAL_FILE_BYTES / MiB} MiB`],
    ['docs/operate.md', `(${limits.RETENTION_MS_DEFAULT / day} days from the creation)`],
    ['docs/operate.md', `${count(limits.SPANS_QUEUED_MAX)} wait`],
    ['docs/operate.md', `all that failed up to ${limits.TRACED_FAILURES_PER_SECOND} a second`],
    ['docs/operate.md', `\`--drain\` (${limits.DRAIN_MS / second} s)`],
    [
      'docs/operate.md',
      `${limits.OPEN_BYTES_MAX / MiB} MiB an upload, ${limits.BODIES_BYTES_MAX / MiB} MiB of bodies read ahead`,
    ],
    [
      'docs/operate.md',
      `${limits.UNSEALED_BYTES_MAX / MiB} MiB of lines waiting for their seal, ${limits.SPANS_HELD_MAX} segment indexes`,
    ],
    ['docs/operate.md', `${limits.CONCURRENCY_DEFAULT} by default, ${count(limits.CONCURRENCY_MAX)} at most`],
    ['docs/architecture.md', `${limits.OPEN_SEGMENTS_MAX} open segments, ${limits.OPEN_BYTES_MAX / MiB} MiB`],
    ['docs/architecture.md', `${count(limits.CHUNK_LINES_MAX)} lines or ${limits.CHUNK_BYTES_MAX / MiB} MiB`],
    [
      'docs/architecture.md',
      `${limits.RETRY_BASE_MS / second} s to ${limits.RETRY_MAX_MS / second} s with full jitter`,
    ],
    [
      'docs/architecture.md',
      `${limits.ATTEMPT_TIMEOUT_BASE_MS / 60 / second} minutes + ${limits.ATTEMPT_TIMEOUT_PER_TOKEN_MS} ms`,
    ],
    ['docs/architecture.md', `older than ${words[limits.ORPHAN_BLOB_MS / 3_600 / second]} hours`],
    ['docs/architecture.md', `fail ${words[limits.LANE_FAILURES_SICK]} times in a row`],
  ];
  const missing = figures.filter(([document, text]) => !readSource(document).replaceAll(/\s+/g, ' ').includes(text));
  assert.deepEqual(missing, []);
});

test('files and folders that the documents name exist', () => {
  const faults = documents.flatMap((document) =>
    [
      ...readSource(document).matchAll(
        /`((?:src|test|scripts|sim|bench|examples|bin|docs)\/[\w./-]+\.(?:ts|js|md|py|sh|svg))`/g,
      ),
    ]
      .map(([, file]) => file)
      .filter((file) => !sourceExists(file))
      .map((file) => `${document} names ${file}`),
  );
  assert.deepEqual(faults, []);
});

test('scripts that the documents run exist', () => {
  const { scripts } = JSON.parse(readSource('package.json')) as { scripts: Record<string, string> };
  const known = new Set([...Object.keys(scripts), 'start', 'test']);
  const faults = documents.flatMap((document) =>
    [...readSource(document).matchAll(/\bnpm (?:run (?:--silent )?)?(start|test|(?<=run (?:--silent )?)[\w:-]+)/g)]
      .map(([, script]) => script)
      .filter((script) => !known.has(script))
      .map((script) => `${document} runs ${script}`),
  );
  assert.deepEqual(faults, []);
});

test('headings that the documents link to exist', () => {
  const faults = documents.flatMap((document) =>
    [...readSource(document).matchAll(/\]\(([\w./-]+\.md)?#([\w-]+)\)/g)].flatMap(([, file, anchor]) => {
      const target = file === undefined ? document : path.posix.join(path.posix.dirname(document), file);
      return anchorsOf(target).has(anchor) ? [] : [`${document} links to ${target}#${anchor}`];
    }),
  );
  assert.deepEqual(faults, []);
});

const words: Readonly<Record<number, string>> = { 6: 'six', 8: 'eight' };

function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Anchors as GitHub makes them of headings. */
function anchorsOf(document: string): ReadonlySet<string> {
  const headings = [...readSource(document).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}
