import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from './app.ts';
import { AUTH, BATCH_ID, testDeps } from './fake-face.ts';

const path = '/v1/messages/batches';
const page = 'https://app.example';
const asking = {
  origin: page,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'anthropic-dangerous-direct-browser-access,anthropic-version,x-api-key,x-mine',
};

type Asked = { origins: string[]; method?: string; headers: Record<string, string>; path?: string };

async function call({ origins, method = 'GET', headers, path: target = path }: Asked): Promise<Response> {
  return await createApp(testDeps({ corsOrigins: origins })).request(target, { method, headers });
}

function corsOf(response: Response): string[] {
  return [...response.headers.keys()].filter((name) => name.startsWith('access-control-') || name === 'vary');
}

test('without the option no answer says a word of it', async () => {
  assert.deepEqual(corsOf(await call({ origins: [], headers: { ...AUTH, origin: page } })), []);
  const preflight = await call({ origins: [], method: 'OPTIONS', headers: asking });
  assert.equal(preflight.status, 405);
  assert.deepEqual(corsOf(preflight), []);
});

test('a browser that asks from a configured origin may call, with the headers it named and without a key', async () => {
  const response = await call({ origins: ['https://other.example', page], method: 'OPTIONS', headers: asking });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get('access-control-allow-origin'), page);
  assert.equal(response.headers.get('access-control-allow-methods'), 'POST, GET, HEAD');
  assert.equal(response.headers.get('access-control-allow-headers'), asking['access-control-request-headers']);
  assert.equal(response.headers.get('access-control-max-age'), '7200');
  assert.equal(response.headers.get('vary'), 'origin');
  assert.equal(await response.text(), '');
});

test('answers and errors can be read by the page, with the headers the SDK reads', async () => {
  for (const headers of [AUTH, {}]) {
    const response = await call({ origins: [page], headers: { ...headers, origin: page } });
    assert.equal(response.status, 'x-api-key' in headers ? 200 : 401);
    assert.equal(response.headers.get('access-control-allow-origin'), page);
    const exposed = response.headers.get('access-control-expose-headers')?.split(', ') ?? [];
    for (const name of ['request-id', 'retry-after', 'anthropic-ratelimit-requests-remaining', 'content-range']) {
      assert(exposed.includes(name), name);
    }
  }
});

test('another origin, and a call without one, are told nothing but to keep their caches apart', async () => {
  for (const origin of ['https://evil.example', 'null', 'https://app.example.evil.example']) {
    const headers = { ...AUTH, origin };
    assert.deepEqual(corsOf(await call({ origins: [page], headers })), ['vary']);
    assert.equal((await call({ origins: [page], method: 'OPTIONS', headers: { ...asking, origin } })).status, 405);
  }
  assert.deepEqual(corsOf(await call({ origins: [page], headers: AUTH })), ['vary']);
});

test('with * every origin may call, and caches need not care', async () => {
  const response = await call({ origins: ['*'], headers: { ...AUTH, origin: 'https://anyone.example' } });
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  assert.equal(response.headers.get('vary'), null);
});

test('an OPTIONS that is no preflight, or has odd header names, gets no more than it should', async () => {
  const plain = await call({ origins: [page], method: 'OPTIONS', headers: { origin: page } });
  assert.equal(plain.status, 405);
  const odd = { ...asking, 'access-control-request-headers': 'a b, <c>' };
  const response = await call({ origins: [page], method: 'OPTIONS', headers: odd, path: `${path}/${BATCH_ID}` });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get('access-control-allow-headers'), null);
});
