"""Classifies reviews in one batch with the official Python SDK (pip install anthropic).

    export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
    python examples/classify.py
"""

import time

import anthropic

REVIEWS = {
    "kettle": "Boils fast, and the handle stays cool.",
    "lamp": "Flickered for a week and then gave up.",
    "notebook": "It is a notebook.",
}

client = anthropic.Anthropic()  # reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": product,
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 16,
                "messages": [{"role": "user", "content": f"Positive, negative or neutral? One word.\n\n{review}"}],
            },
        }
        for product, review in REVIEWS.items()
    ]
)

while batch.processing_status != "ended":
    time.sleep(1)
    batch = client.messages.batches.retrieve(batch.id)

# Results come in any order: the custom_id says whose they are.
for line in client.messages.batches.results(batch.id):
    match line.result.type:
        case "succeeded":
            print(f"{line.custom_id}: {line.result.message.content[0].text}")
        case "errored":
            print(f"{line.custom_id}: {line.result.error.error.type}: {line.result.error.error.message}")
        case other:
            print(f"{line.custom_id}: {other}")
