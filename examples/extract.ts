/**
 * Extracts fields from texts with a forced tool: the answer is data that fits a schema (npm install @anthropic-ai/sdk).
 *
 *   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
 *   node examples/extract.ts
 */
import Anthropic from '@anthropic-ai/sdk';

const invoices = {
  'inv-1': 'Invoice 2231 from Acme Tools, 14 March 2026, total 1,204.50 EUR.',
  'inv-2': 'Bill no. 17: Blue Bakery, 2026-04-02, 36 dollars.',
};
const record: Anthropic.Tool = {
  name: 'record_invoice',
  description: 'Records the fields of one invoice.',
  input_schema: {
    type: 'object',
    properties: {
      seller: { type: 'string' },
      number: { type: 'string' },
      total: { type: 'number' },
      currency: { type: 'string', enum: ['EUR', 'USD', 'GBP'] },
    },
    required: ['seller', 'number', 'total', 'currency'],
    additionalProperties: false,
  },
};

const client = new Anthropic(); // reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

let batch = await client.messages.batches.create({
  requests: Object.entries(invoices).map(([name, text]) => ({
    custom_id: name,
    params: {
      model: 'claude-haiku-4-5',
      max_tokens: 512,
      tools: [record],
      tool_choice: { type: 'tool', name: record.name },
      messages: [{ role: 'user', content: text }],
    },
  })),
});

while (batch.processing_status !== 'ended') {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  batch = await client.messages.batches.retrieve(batch.id);
}

for await (const { custom_id: name, result } of await client.messages.batches.results(batch.id)) {
  if (result.type !== 'succeeded') {
    console.log(`${name}: ${result.type}`);
    continue;
  }
  const call = result.message.content.find((block) => block.type === 'tool_use');
  // A cut answer may hold half a record: only a finished call counts.
  const isWhole = call !== undefined && result.message.stop_reason === 'tool_use';
  console.log(`${name}: ${isWhole ? JSON.stringify(call.input) : `no record (${result.message.stop_reason})`}`);
}
