"""Asks many questions about one document: the document is marked for the prompt cache, and one request goes first to write it (pip install anthropic).

    export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
    python examples/shared-document.py
"""

import time

import anthropic

# Long enough to be cached: short prompts never are.
DOCUMENT = "\n".join(f"Paragraph {number}: the parties agree on clause {number} of this contract." for number in range(800))
QUESTIONS = ["Who are the parties?", "What does clause 7 say?", "How many clauses are there?", "Is there a term?"]

client = anthropic.Anthropic()  # reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY


def ask(questions: dict[str, str]) -> list:
    batch = client.messages.batches.create(
        requests=[
            {
                "custom_id": custom_id,
                "params": {
                    "model": "claude-haiku-4-5",
                    "max_tokens": 200,
                    # The same bytes in every request, marked for an hour, because a batch takes its time.
                    "system": [
                        {"type": "text", "text": DOCUMENT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
                    ],
                    "messages": [{"role": "user", "content": question}],
                },
            }
            for custom_id, question in questions.items()
        ]
    )
    while batch.processing_status != "ended":
        time.sleep(1)
        batch = client.messages.batches.retrieve(batch.id)
    return list(client.messages.batches.results(batch.id))


numbered = {f"question-{number}": question for number, question in enumerate(QUESTIONS)}
first, *rest = numbered.items()
# An entry can be read only after the answer that writes it has begun: one request first, then the others.
lines = ask(dict([first])) + ask(dict(rest))

for line in sorted(lines, key=lambda one: one.custom_id):
    if line.result.type == "succeeded":
        usage = line.result.message.usage
        print(f"{line.custom_id}: wrote {usage.cache_creation_input_tokens}, read {usage.cache_read_input_tokens} tokens")
    else:
        print(f"{line.custom_id}: {line.result.type}")
