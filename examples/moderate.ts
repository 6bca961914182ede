/**
 * Moderates comments: structured output gives one verdict each, and whatever has none goes to a person (npm install @anthropic-ai/sdk).
 *
 *   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
 *   node examples/moderate.ts
 */
import Anthropic from '@anthropic-ai/sdk';

const comments = {
  'c-1': 'Thanks, this solved it for me!',
  'c-2': 'Buy followers at half price, link in my profile.',
  'c-3': 'You are an idiot and everybody knows it.',
};
const verdictSchema = {
  type: 'object',
  properties: {
    verdict: { type: 'string', enum: ['allow', 'spam', 'abuse'] },
    sure: { type: 'boolean' },
  },
  required: ['verdict', 'sure'],
  additionalProperties: false,
};

const client = new Anthropic(); // reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

let batch = await client.messages.batches.create({
  requests: Object.entries(comments).map(([id, comment]) => ({
    custom_id: id,
    params: {
      model: 'claude-haiku-4-5',
      max_tokens: 128,
      system: 'You moderate the comments of a forum. Judge the one comment you are shown.',
      output_config: { format: { type: 'json_schema', schema: verdictSchema } },
      messages: [{ role: 'user', content: comment }],
    },
  })),
});

while (batch.processing_status !== 'ended') {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  batch = await client.messages.batches.retrieve(batch.id);
}

const verdicts = new Map<string, { readonly verdict: string; readonly sure: boolean }>();
for await (const { custom_id: id, result } of await client.messages.batches.results(batch.id)) {
  // A refusal or a cut answer is no verdict, whatever its text looks like.
  if (result.type !== 'succeeded' || result.message.stop_reason !== 'end_turn') continue;
  const [block] = result.message.content;
  if (block?.type === 'text') verdicts.set(id, JSON.parse(block.text));
}

for (const id of Object.keys(comments)) {
  const found = verdicts.get(id);
  console.log(`${id}: ${found?.sure ? found.verdict : 'to a person'}`);
}
