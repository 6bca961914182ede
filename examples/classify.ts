// Classifies reviews in one batch with the official TypeScript SDK (npm install @anthropic-ai/sdk).
//
//   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
//   node examples/classify.ts
import Anthropic from '@anthropic-ai/sdk';

const reviews: Readonly<Record<string, string>> = {
  kettle: 'Boils fast, and the handle stays cool.',
  lamp: 'Flickered for a week and then gave up.',
  notebook: 'It is a notebook.',
};

const client = new Anthropic(); // reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

let batch = await client.messages.batches.create({
  requests: Object.entries(reviews).map(([product, review]) => ({
    custom_id: product,
    params: {
      model: 'claude-haiku-4-5',
      max_tokens: 16,
      messages: [{ role: 'user', content: `Positive, negative or neutral? One word.\n\n${review}` }],
    },
  })),
});

while (batch.processing_status !== 'ended') {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  batch = await client.messages.batches.retrieve(batch.id);
}

// Results come in any order: the custom_id says whose they are.
for await (const { custom_id: product, result } of await client.messages.batches.results(batch.id)) {
  if (result.type === 'succeeded') {
    const [block] = result.message.content;
    console.log(`${product}: ${block?.type === 'text' ? block.text : '(no text)'}`);
  } else if (result.type === 'errored') {
    console.log(`${product}: ${result.error.error.type}: ${result.error.error.message}`);
  } else {
    console.log(`${product}: ${result.type}`);
  }
}
