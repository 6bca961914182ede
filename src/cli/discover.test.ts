import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { commandFor, findModelServers, lineFor } from './discover.ts';

test('a running model server is found, with its first model and a command to use it', async (t) => {
  const port = await serve(t, (request, response) => {
    assert.equal(request.url, '/v1/models');
    response.end(JSON.stringify({ object: 'list', data: [{ id: 'qwen3:8b' }, { id: 'other' }] }));
  });
  const [found] = await findModelServers([{ name: 'Ollama', port }]);
  assert.deepEqual(found, { name: 'Ollama', url: `http://127.0.0.1:${port}`, model: 'qwen3:8b', otherModels: 1 });
  assert.equal(commandFor(found), `nightshift serve --upstream anthropic:http://127.0.0.1:${port} --model qwen3:8b`);
});

test('each of the usual servers is told with its command, its first model and how many more there are', async (t) => {
  const lists: Readonly<Record<string, readonly string[]>> = {
    Ollama: ['qwen3:8b', 'llama3.2:3b', 'nomic-embed-text'],
    'llama.cpp': ['/models/tiny model.gguf'],
    vLLM: ['Qwen/Qwen3-8B', 'adapter'],
    'LM Studio': [],
  };
  const places = await Promise.all(
    Object.entries(lists).map(async ([name, ids]) => {
      const list = JSON.stringify({ object: 'list', data: [null, ...ids.map((id) => ({ id }))] });
      return { name, port: await serve(t, (_request, response) => response.end(list)) };
    }),
  );
  const found = await findModelServers(places);
  const told = found.map((one) => lineFor(one).replaceAll(/:\d{4,5}\b/g, ':PORT'));
  const command = 'nightshift serve --upstream anthropic:http://127.0.0.1:PORT';
  assert.deepEqual(told, [
    `Found Ollama at http://127.0.0.1:PORT: ${command} --model qwen3:8b (and 2 more models)`,
    `Found llama.cpp at http://127.0.0.1:PORT: ${command} --model '/models/tiny model.gguf'`,
    `Found vLLM at http://127.0.0.1:PORT: ${command} --model Qwen/Qwen3-8B (and 1 more model)`,
    `Found LM Studio at http://127.0.0.1:PORT: ${command}`,
  ]);
});

test('one without models yet is found too', async (t) => {
  const port = await serve(t, (_request, response) => response.end('{"data":null}'));
  const [found] = await findModelServers([{ name: 'Ollama', port }]);
  assert.equal(found.model, null);
  assert(!commandFor(found).includes('--model'));
});

test('whatever else listens there, or does not, or does not answer in time, is passed over', async (t) => {
  const ports = await Promise.all([
    serve(t, (_request, response) => response.writeHead(404).end()),
    serve(t, (_request, response) => response.end('<html>')),
    serve(t, (_request, response) => response.end('null')),
    serve(t, () => undefined),
  ]);
  const places = [...ports, 1].map((port) => ({ name: 'x', port }));
  assert.deepEqual(await findModelServers(places), []);
});

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}
