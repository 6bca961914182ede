/**
 * Evaluates two models on the same questions in one batch, and says how many each got right (npm install @anthropic-ai/sdk).
 *
 *   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
 *   node examples/evaluate.ts
 */
import Anthropic from '@anthropic-ai/sdk';

const models = ['claude-haiku-4-5', 'claude-sonnet-4-6'];
const questions = [
  { question: 'What is 17 + 25? Only the number.', answer: '42' },
  { question: 'Which planet is nearest to the sun? One word.', answer: 'Mercury' },
  { question: "How many letters has the word 'batch'? Only the number.", answer: '5' },
];

const client = new Anthropic(); // reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

// One batch may hold several models; the id says which answer belongs to what.
let batch = await client.messages.batches.create({
  requests: models.flatMap((model) =>
    questions.map(({ question }, number) => ({
      custom_id: `${model}_${number}`,
      params: { model, max_tokens: 64, messages: [{ role: 'user' as const, content: question }] },
    })),
  ),
});

while (batch.processing_status !== 'ended') {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  batch = await client.messages.batches.retrieve(batch.id);
}

const scores = new Map(models.map((model) => [model, { right: 0, failed: 0 }]));
for await (const { custom_id: id, result } of await client.messages.batches.results(batch.id)) {
  const [, model = '', number = ''] = /^(.*)_(\d+)$/.exec(id) ?? [];
  const score = scores.get(model)!;
  if (result.type !== 'succeeded') {
    score.failed += 1;
    continue;
  }
  const [block] = result.message.content;
  const text = block?.type === 'text' ? block.text : '';
  if (text.toLowerCase().includes(questions[Number(number)]!.answer.toLowerCase())) score.right += 1;
}

for (const [model, { right, failed }] of scores) {
  // What failed is told apart: it is no wrong answer.
  console.log(`${model}: ${right} of ${questions.length - failed} right, ${failed} failed`);
}
