"""Extracts fields from texts with a forced tool: the answer is data that fits a schema (pip install anthropic).

    export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
    python examples/extract.py
"""

import json
import time

import anthropic

INVOICES = {
    "inv-1": "Invoice 2231 from Acme Tools, 14 March 2026, total 1,204.50 EUR.",
    "inv-2": "Bill no. 17: Blue Bakery, 2026-04-02, 36 dollars.",
}
RECORD = {
    "name": "record_invoice",
    "description": "Records the fields of one invoice.",
    "input_schema": {
        "type": "object",
        "properties": {
            "seller": {"type": "string"},
            "number": {"type": "string"},
            "total": {"type": "number"},
            "currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]},
        },
        "required": ["seller", "number", "total", "currency"],
        "additionalProperties": False,
    },
}

client = anthropic.Anthropic()  # reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY

batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": name,
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 512,
                "tools": [RECORD],
                "tool_choice": {"type": "tool", "name": RECORD["name"]},
                "messages": [{"role": "user", "content": text}],
            },
        }
        for name, text in INVOICES.items()
    ]
)

while batch.processing_status != "ended":
    time.sleep(1)
    batch = client.messages.batches.retrieve(batch.id)

for line in client.messages.batches.results(batch.id):
    if line.result.type != "succeeded":
        print(f"{line.custom_id}: {line.result.type}")
        continue
    message = line.result.message
    call = next((block for block in message.content if block.type == "tool_use"), None)
    # A cut answer may hold half a record: only a finished call counts.
    if call is None or message.stop_reason != "tool_use":
        print(f"{line.custom_id}: no record ({message.stop_reason})")
    else:
        print(f"{line.custom_id}: {json.dumps(call.input)}")
