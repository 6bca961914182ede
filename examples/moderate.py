"""Moderates comments: structured output gives one verdict each, and whatever has none goes to a person (pip install anthropic).

    export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
    python examples/moderate.py
"""

import json
import time

import anthropic

COMMENTS = {
    "c-1": "Thanks, this solved it for me!",
    "c-2": "Buy followers at half price, link in my profile.",
    "c-3": "You are an idiot and everybody knows it.",
}
VERDICT = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["allow", "spam", "abuse"]},
        "sure": {"type": "boolean"},
    },
    "required": ["verdict", "sure"],
    "additionalProperties": False,
}

client = anthropic.Anthropic()  # reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": comment_id,
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 128,
                "system": "You moderate the comments of a forum. Judge the one comment you are shown.",
                "output_config": {"format": {"type": "json_schema", "schema": VERDICT}},
                "messages": [{"role": "user", "content": comment}],
            },
        }
        for comment_id, comment in COMMENTS.items()
    ]
)

while batch.processing_status != "ended":
    time.sleep(1)
    batch = client.messages.batches.retrieve(batch.id)

verdicts = {}
for line in client.messages.batches.results(batch.id):
    # A refusal or a cut answer is no verdict, whatever its text looks like.
    if line.result.type == "succeeded" and line.result.message.stop_reason == "end_turn":
        verdicts[line.custom_id] = json.loads(line.result.message.content[0].text)

for comment_id in COMMENTS:
    verdict = verdicts.get(comment_id)
    sure = verdict is not None and verdict["sure"]
    print(f"{comment_id}: {verdict['verdict'] if sure else 'to a person'}")
