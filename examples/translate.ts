/**
 * Translates texts into several languages; cut answers are sent again with more room (npm install @anthropic-ai/sdk).
 *
 *   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
 *   node examples/translate.ts
 */
import Anthropic from '@anthropic-ai/sdk';

const texts = { greeting: 'Good morning, and welcome.', sign: 'Please mind the step.' };
const languages = { de: 'German', ja: 'Japanese', pt: 'Portuguese' };

const client = new Anthropic(); // reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

type Job = { readonly id: string; readonly text: string; readonly language: string };

/** The translations that came out whole, by id; what is missing failed or was cut. */
async function translate(jobs: readonly Job[], maxTokens: number): Promise<Map<string, string>> {
  let batch = await client.messages.batches.create({
    requests: jobs.map(({ id, text, language }) => ({
      custom_id: id,
      params: {
        model: 'claude-haiku-4-5',
        max_tokens: maxTokens,
        system: `Translate into ${language}. Answer with the translation alone.`,
        messages: [{ role: 'user', content: text }],
      },
    })),
  });
  while (batch.processing_status !== 'ended') {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    batch = await client.messages.batches.retrieve(batch.id);
  }
  const done = new Map<string, string>();
  for await (const { custom_id: id, result } of await client.messages.batches.results(batch.id)) {
    if (result.type !== 'succeeded' || result.message.stop_reason !== 'end_turn') continue;
    const [block] = result.message.content;
    if (block?.type === 'text') done.set(id, block.text);
  }
  return done;
}

const jobs = Object.entries(texts).flatMap(([name, text]) =>
  Object.entries(languages).map(([code, language]): Job => ({ id: `${name}-${code}`, text, language })),
);
const first = await translate(jobs, 200);
const missing = jobs.filter(({ id }) => !first.has(id));
const second = missing.length === 0 ? new Map<string, string>() : await translate(missing, 1_000);

for (const { id } of jobs) console.log(`${id}: ${first.get(id) ?? second.get(id) ?? '(failed twice)'}`);
