import assert from 'node:assert/strict';
import type { HttpBindings } from '@hono/node-server';
import { test } from 'node:test';
import { baseUrlOf, clientOf } from './proxy.ts';

const node = { incoming: { socket: { remoteAddress: '10.0.0.9' } } } as unknown as HttpBindings;

/** Where the call says it was sent, and where it says it came from. */
function told(trustedProxies: number, headers: Record<string, string>): [string, string | null] {
  const call = { request: new Request('http://inner:2424/v1/messages', { headers }), node };
  const trust = { publicUrl: null, trustedProxies };
  return [baseUrlOf(trust, call), clientOf(trust, call)];
}

const own = ['http://inner:2424', '10.0.0.9'];
const older = {
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'Batch.Example',
  'x-forwarded-for': '192.0.2.1',
};
const newer = { forwarded: 'for=192.0.2.7;proto=https;host="batch.example:8443"' };

test('nobody is believed unless configured', () => {
  assert.deepEqual(told(0, older), own);
  assert.deepEqual(told(0, newer), own);
  assert.deepEqual(told(1, {}), own);
});

test('one proxy is believed in both forms, the older one first', () => {
  assert.deepEqual(told(1, older), ['https://batch.example', '192.0.2.1']);
  assert.deepEqual(told(1, newer), ['https://batch.example:8443', '192.0.2.7']);
  assert.deepEqual(told(1, { ...older, ...newer }), ['https://batch.example', '192.0.2.1']);
  assert.deepEqual(told(1, { 'x-forwarded-proto': 'https' }), ['https://inner:2424', '10.0.0.9']);
});

test('what a client put before the words of the proxies is not believed', () => {
  const lies = { 'x-forwarded-for': '6.6.6.6, 192.0.2.1', 'x-forwarded-host': 'evil.example, batch.example' };
  assert.deepEqual(told(1, lies), ['http://batch.example', '192.0.2.1']);
  const two = { 'x-forwarded-for': '6.6.6.6, 192.0.2.1, 10.1.1.1', 'x-forwarded-proto': 'https' };
  assert.deepEqual(told(2, two), ['https://inner:2424', '192.0.2.1']);
  assert.deepEqual(told(1, { forwarded: 'for=6.6.6.6;host="a,b", for="[2001:db8::1]:4711";host=batch.example' }), [
    'http://batch.example',
    '2001:db8::1',
  ]);
});

test('a quote that a client leaves open does not pull the words of a proxy into its own', () => {
  const open = 'for=6.6.6.6;proto=https;host=evil.example;x="';
  assert.deepEqual(told(1, { forwarded: `${open}, for="192.0.2.1:80";host="batch.example"` }), own);
  assert.deepEqual(told(1, { 'x-forwarded-host': 'evil.example", "batch.example' }), own);
});

test('words that are no address, host or scheme change nothing', () => {
  for (const headers of [
    { 'x-forwarded-for': 'unknown', 'x-forwarded-host': 'a b', 'x-forwarded-proto': 'javascript' },
    { 'x-forwarded-for': '<script>', 'x-forwarded-host': 'evil.example/path?', 'x-forwarded-proto': '' },
    { 'x-forwarded-host': 'user@evil.example' },
    { 'x-forwarded-host': 'evil.example:99999' },
    { forwarded: 'for=_hidden;host="\\"";;;=,' },
    { forwarded: ',,,"' },
  ]) {
    assert.deepEqual(told(1, headers), own, JSON.stringify(headers));
  }
  assert.deepEqual(told(1, { 'x-forwarded-for': '192.0.2.1:5555' }), ['http://inner:2424', '192.0.2.1']);
});

test('the public URL goes before all of them', () => {
  const request = new Request('http://inner/', { headers: older });
  assert.equal(baseUrlOf({ publicUrl: 'https://outer/api/', trustedProxies: 1 }, { request }), 'https://outer/api');
});
