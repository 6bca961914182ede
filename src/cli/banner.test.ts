import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../config.ts';
import { banner, reachableUrl, type Started } from './banner.ts';

const configOf = (...argv: string[]) => readConfig({ argv, env: {}, readFile: () => null, terminal: false });
const first: Started = {
  url: 'http://127.0.0.1:2424',
  key: { value: 'sk-1', path: '/d/first-key', firstStart: true },
  upstreams: ['simulator'],
};
const later: Started = { ...first, key: { value: null, path: '/d/first-key', firstStart: false } };
const preset: Started = { ...first, key: { value: null, path: null, firstStart: false } };
const found = [{ name: 'Ollama', url: 'http://127.0.0.1:11434', model: 'q', otherModels: 0 }];

test('the first start shows the key, later ones the file that keeps it, a preset one its variable', () => {
  const text = (server: Started): string => banner({ server, config: configOf(), found: [] }, false);
  assert.match(text(first), /key {7}sk-1 \(kept in \/d\/first-key\)/);
  assert.match(text(later), /key {7}the one in \/d\/first-key/);
  assert.match(text(later), /\$\(cat \/d\/first-key\)/);
  assert.match(text(preset), /\$NIGHTSHIFT_API_KEY/);
  assert(!text(later).includes('sk-1'));
});

test('a first key that was revoked is not offered', () => {
  const server: Started = { ...later, key: { ...later.key, revoked: true } };
  const text = banner({ server, config: configOf(), found: [] }, false);
  assert.match(text, /key {7}the first one was revoked; make another: nightshift keys create/);
});

test('simulated answers are said loudly, with what to do instead', () => {
  const text = banner({ server: first, config: configOf(), found }, false);
  assert.match(text, /ANSWERS ARE SIMULATED/);
  assert.match(
    text,
    /Found Ollama at http:\/\/127\.0\.0\.1:11434: nightshift serve --upstream anthropic:http:\/\/127\.0\.0\.1:11434 --model q/,
  );
  const config = configOf('--upstream', 'anthropic:http://h', '--model', 'q');
  assert.doesNotMatch(banner({ server: first, config, found: [] }, false), /SIMULATED/);
});

test('the snippets name the model that is configured and an address that can be called', () => {
  const config = configOf('--upstream', 'anthropic:http://h', '--model', 'qwen3:8b');
  const text = banner({ server: { ...first, url: 'http://0.0.0.0:2424' }, config, found: [] }, false);
  assert.match(text, /"model":"qwen3:8b"/);
  assert.match(text, /curl http:\/\/127\.0\.0\.1:2424\/v1/);
  assert.equal(reachableUrl('http://[::]:1', { publicUrl: null }), 'http://[::1]:1');
  assert.equal(reachableUrl('http://127.0.0.1:1', { publicUrl: 'https://batch.example' }), 'https://batch.example');
});

test('colours only when asked for', () => {
  const context = { server: first, config: configOf(), found: [] };
  assert(!banner(context, false).includes('\u001B'));
  assert(banner(context, true).includes('\u001B[1m'));
});
