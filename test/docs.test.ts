// Keeps the documents in step with the code they speak of: errors, metrics, limits, commands and the words of the glossary.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCatalogue } from '../src/domain/errors.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { readSource, sourceExists, sourceFiles } from './support/sources.ts';

type ErrorRow = { readonly status: number; readonly type: string };

const documents = ['README.md', ...sourceFiles('docs/*.md')];

test('docs/errors.md lists every error of the catalogue, and none that is gone', () => {
  const rows = [...readSource('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \| `(\w+)` \|/gm)];
  const documented = Object.fromEntries(
    rows.map(([, code, status, type]): [string, ErrorRow] => [code, { status: Number(status), type }]),
  );
  assert.deepEqual(documented, errorCatalogue);
});

test('docs/operate.md names every metric of ours, and none that is gone', async () => {
  const { body } = await createMetrics({ pending: () => 0, process: false }).render();
  const registered = [...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name).sort();
  const table = [...readSource('docs/operate.md').matchAll(/^\| `(nightshift_\w+)` \|/gm)].map(([, name]) => name).sort();
  assert.deepEqual(table, registered);
});

test('files and folders that the documents name exist', () => {
  const faults = documents.flatMap((document) =>
    [...readSource(document).matchAll(/`((?:src|test|scripts|sim|bench|examples|bin|docs)\/[\w./-]+\.(?:ts|js|md|py|sh|svg))`/g)]
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
    [...readSource(document).matchAll(/\]\(((?:docs\/)?[\w-]+\.md)?#([\w-]+)\)/g)].flatMap(([, file, anchor]) => {
      const target = file === undefined ? document : document.startsWith('docs/') ? `docs/${file}` : file;
      return anchorsOf(target).has(anchor) ? [] : [`${document} links to ${target}#${anchor}`];
    }),
  );
  assert.deepEqual(faults, []);
});

/** Anchors as GitHub makes them of headings. */
function anchorsOf(document: string): ReadonlySet<string> {
  const headings = [...readSource(document).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading);
  return new Set(headings.map((heading) => heading.toLowerCase().replaceAll(/[^\w\s-]/g, '').replaceAll(' ', '-')));
}
