"""Evaluates two models on the same questions in one batch, and says how many each got right (pip install anthropic).

    export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
    python examples/evaluate.py
"""

import time
from collections import Counter

import anthropic

MODELS = ["claude-haiku-4-5", "claude-sonnet-4-6"]
QUESTIONS = [
    ("What is 17 + 25? Only the number.", "42"),
    ("Which planet is nearest to the sun? One word.", "Mercury"),
    ("How many letters has the word 'batch'? Only the number.", "5"),
]

client = anthropic.Anthropic()  # reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

# One batch may hold several models; the id says which answer belongs to what.
batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": f"{model}_{number}",
            "params": {
                "model": model,
                "max_tokens": 64,
                "messages": [{"role": "user", "content": question}],
            },
        }
        for model in MODELS
        for number, (question, _) in enumerate(QUESTIONS)
    ]
)

while batch.processing_status != "ended":
    time.sleep(1)
    batch = client.messages.batches.retrieve(batch.id)

right, failed = Counter(), Counter()
for line in client.messages.batches.results(batch.id):
    model, _, number = line.custom_id.rpartition("_")
    if line.result.type != "succeeded":
        failed[model] += 1
        continue
    answer = line.result.message.content[0].text
    right[model] += QUESTIONS[int(number)][1].lower() in answer.lower()

for model in MODELS:
    # What failed is told apart: it is no wrong answer.
    print(f"{model}: {right[model]} of {len(QUESTIONS) - failed[model]} right, {failed[model]} failed")
