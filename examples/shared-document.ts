/**
 * Asks many questions about one document: the document is marked for the prompt cache, and one request goes first to write it (npm install @anthropic-ai/sdk).
 *
 *   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
 *   node examples/shared-document.ts
 */
import Anthropic from '@anthropic-ai/sdk';

// Long enough to be cached: short prompts never are.
const document = Array.from(
  { length: 800 },
  (_, number) => `Paragraph ${number}: the parties agree on clause ${number} of this contract.`,
).join('\n');
const questions = [
  'Who are the parties?',
  'What does clause 7 say?',
  'How many clauses are there?',
  'Is there a term?',
];

const client = new Anthropic(); // reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

type Question = { readonly id: string; readonly text: string };

async function ask(list: readonly Question[]): Promise<Anthropic.Messages.MessageBatchIndividualResponse[]> {
  let batch = await client.messages.batches.create({
    requests: list.map(({ id, text }) => ({
      custom_id: id,
      params: {
        model: 'claude-haiku-4-5',
        max_tokens: 200,
        // The same bytes in every request, marked for an hour, because a batch takes its time.
        system: [{ type: 'text', text: document, cache_control: { type: 'ephemeral', ttl: '1h' } }],
        messages: [{ role: 'user', content: text }],
      },
    })),
  });
  while (batch.processing_status !== 'ended') {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    batch = await client.messages.batches.retrieve(batch.id);
  }
  return Array.fromAsync(await client.messages.batches.results(batch.id));
}

const numbered = questions.map((text, number) => ({ id: `question-${number}`, text }));
// An entry can be read only after the answer that writes it has begun: one request first, then the others.
const lines = [...(await ask(numbered.slice(0, 1))), ...(await ask(numbered.slice(1)))];

for (const { custom_id: id, result } of lines.toSorted((a, b) => a.custom_id.localeCompare(b.custom_id))) {
  if (result.type !== 'succeeded') {
    console.log(`${id}: ${result.type}`);
    continue;
  }
  const { cache_creation_input_tokens: wrote, cache_read_input_tokens: read } = result.message.usage;
  console.log(`${id}: wrote ${wrote}, read ${read} tokens`);
}
