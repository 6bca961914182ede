/** Pieces of code that work when pasted: a first batch by curl, Python and TypeScript. */

/** How a snippet gets the key: as itself, from the file that keeps it, or from the variable it was preset by. */
export type KeySource =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'variable'; readonly name: string };

export type SnippetContext = { readonly url: string; readonly key: KeySource; readonly model: string };

export function curlSnippet({ url, key, model }: SnippetContext): string {
  const request = {
    custom_id: 'hello-1',
    params: { model, max_tokens: 64, messages: [{ role: 'user', content: 'Hello, night shift' }] },
  };
  return [
    `curl ${shellQuoted(`${url}/v1/messages/batches`)} \\`,
    `  -H "x-api-key: ${shellKey(key)}" -H "anthropic-version: 2023-06-01" -H "content-type: application/json" \\`,
    `  -d ${shellQuoted(JSON.stringify({ requests: [request] }))}`,
  ].join('\n');
}

export function pythonSnippet({ url, key, model }: SnippetContext): string {
  return `import ${key.kind === 'variable' ? 'os, ' : ''}time, anthropic

client = anthropic.Anthropic(base_url=${JSON.stringify(url)}, api_key=${pythonKey(key)})
batch = client.messages.batches.create(requests=[{
    "custom_id": "hello-1",
    "params": {"model": ${JSON.stringify(model)}, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello, night shift"}]},
}])
while client.messages.batches.retrieve(batch.id).processing_status != "ended":
    time.sleep(1)

for line in client.messages.batches.results(batch.id):
    print(line.custom_id, line.result)`;
}

export function typescriptSnippet({ url, key, model }: SnippetContext): string {
  return `import Anthropic from '@anthropic-ai/sdk';
${key.kind === 'file' ? "import { readFileSync } from 'node:fs';\n" : ''}
const client = new Anthropic({ baseURL: ${JSON.stringify(url)}, apiKey: ${typescriptKey(key)} });
const { id } = await client.messages.batches.create({
  requests: [{
    custom_id: 'hello-1',
    params: { model: ${JSON.stringify(model)}, max_tokens: 64, messages: [{ role: 'user', content: 'Hello, night shift' }] },
  }],
});
while ((await client.messages.batches.retrieve(id)).processing_status !== 'ended') await new Promise((resolve) => setTimeout(resolve, 1000));
for await (const line of await client.messages.batches.results(id)) console.log(line.custom_id, line.result);`;
}

/** Inside double quotes. */
function shellKey(key: KeySource): string {
  switch (key.kind) {
    case 'value':
      return key.value;
    case 'file':
      return `$(cat ${shellQuoted(key.path)})`;
    case 'variable':
      return `$${key.name}`;
  }
}

function pythonKey(key: KeySource): string {
  switch (key.kind) {
    case 'value':
      return JSON.stringify(key.value);
    case 'file':
      return `open(${JSON.stringify(key.path)}).read().strip()`;
    case 'variable':
      return `os.environ[${JSON.stringify(key.name)}]`;
  }
}

function typescriptKey(key: KeySource): string {
  switch (key.kind) {
    case 'value':
      return JSON.stringify(key.value);
    case 'file':
      return `readFileSync(${JSON.stringify(key.path)}, 'utf8').trim()`;
    case 'variable':
      return `process.env.${key.name}`;
  }
}

export function shellQuoted(text: string): string {
  return /^[\w:/.@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
