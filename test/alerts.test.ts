// Keeps packaging/alerts.yml in step with the metrics there are and with what docs/operate.md says to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { readSource } from './support/sources.ts';

type Rule = { readonly alert: string; readonly expr: string };

const rulePattern =
  /^ {6}- alert: (\w+)\n {8}expr: '([^'\n]+)'\n {8}for: \d+[mh]\n {8}labels:\n {10}severity: (?:critical|warning)\n {8}annotations:\n {10}summary: '[^'\n]+'\n/gm;

const text = readSource('packaging/alerts.yml');
const rules: readonly Rule[] = [...text.matchAll(rulePattern)].map(([, alert = '', expr = '']) => ({ alert, expr }));

test('the file has the shape of Prometheus rules, and nothing else', () => {
  assert.match(text, /^(#.*\n)*groups:\n {2}- name: nightshift\n {4}rules:\n {6}- alert: /);
  const rest = text.replaceAll(rulePattern, '').replaceAll(/^#.*\n/gm, '');
  assert.equal(rest, 'groups:\n  - name: nightshift\n    rules:\n');
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length, 'each name once');
});

test('every metric that an alert asks for exists', async () => {
  const { body } = await createMetrics({}).render();
  const kinds = new Map([...body.matchAll(/^# TYPE (\w+) (\w+)/gm)].map(([, name, kind]) => [name, kind]));
  const unknown = rules.flatMap(({ alert, expr }) =>
    [...expr.matchAll(/\b(?:nightshift|process|nodejs)_\w+/g)]
      .map(([name]) => name)
      .filter((name) => !kinds.has(name) && kinds.get(name.replace(/_bucket$/, '')) !== 'histogram')
      .map((name) => `${alert}: ${name}`),
  );
  assert.deepEqual(unknown, []);
  assert(rules.length > 10);
});

test('docs/operate.md lists the same alerts with the same rules', () => {
  const rows = [...readSource('docs/operate.md').matchAll(/^\| (Nightshift\w+) \| `((?:[^`\\]|\\.)+)` \|/gm)];
  const documented = rows.map(([, alert = '', expr = '']) => ({ alert, expr: expr.replaceAll('\\|', '|') }));
  assert.deepEqual(documented, rules);
});
