/** What a proxy says and what a web page may do: off unless the server was told so. */
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer, type Server } from '../support/server.ts';
import { until } from '../support/until.ts';

const page = 'https://app.example';
const forwarded = {
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'batch.example',
  'x-forwarded-for': '6.6.6.6, 192.0.2.1',
};
const requests = [
  {
    custom_id: 'a',
    params: { model: 'm', max_tokens: 5, messages: [{ role: 'user' as const, content: 'hello' }] },
  },
];

async function endedUrl(server: Server): Promise<string | null> {
  const options = { apiKey: server.key, baseURL: server.url, defaultHeaders: forwarded };
  const client = new Anthropic(options);
  const { id } = await client.messages.batches.create({ requests });
  return await until({
    what: 'the batch has ended',
    withinMs: 10_000,
    ask: async () => {
      const batch = await client.messages.batches.retrieve(id);
      return batch.processing_status === 'ended' && batch.results_url;
    },
  });
}

test('without --trust-proxy and --cors-origin, headers change nothing', async (t) => {
  const server = await startServer(t, { flags: ['--log-level', 'debug'] });
  assert.ok((await endedUrl(server))?.startsWith(`${server.url}/v1/messages/batches/`));
  assert.ok(server.log().includes('"client":"127.0.0.1"') && !server.log().includes('192.0.2.1'));
  const answer = await fetch(`${server.url}/v1/messages/batches`, { headers: { origin: page } });
  assert.equal(answer.headers.get('access-control-allow-origin'), null);
});

test('with them, result URLs and the log follow the proxy, and the SDK in a page may call', async (t) => {
  const flags = ['--trust-proxy', '--cors-origin', `https://other.example,${page}`, '--log-level', 'debug'];
  const server = await startServer(t, { flags });
  assert.match(String(await endedUrl(server)), /^https:\/\/batch\.example\/v1\/messages\/batches\/msgbatch_/);
  assert.ok(server.log().includes('"client":"192.0.2.1"') && !server.log().includes('6.6.6.6'));

  // What the SDK sends from a page, after the question a browser would ask before it.
  let allowed = '';
  const client = new Anthropic({
    apiKey: server.key,
    baseURL: server.url,
    dangerouslyAllowBrowser: true,
    fetch: async (url, init) => {
      const headers = new Headers(init?.headers);
      assert.equal(headers.get('anthropic-dangerous-direct-browser-access'), 'true');
      const names = [...headers.keys()].join(',');
      const asked = await fetch(url, {
        method: 'OPTIONS',
        headers: { origin: page, 'access-control-request-method': 'GET', 'access-control-request-headers': names },
      });
      assert.equal(asked.status, 204);
      assert.equal(asked.headers.get('access-control-allow-headers'), names);
      headers.set('origin', page);
      const answer = await fetch(url, { ...init, headers });
      allowed = answer.headers.get('access-control-allow-origin') ?? '';
      return answer;
    },
  });
  assert.equal((await client.messages.batches.list()).data.length, 1);
  assert.equal(allowed, page);
});
