"""Translates texts into several languages; cut answers are sent again with more room (pip install anthropic).

    export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
    python examples/translate.py
"""

import time

import anthropic

TEXTS = {"greeting": "Good morning, and welcome.", "sign": "Please mind the step."}
LANGUAGES = {"de": "German", "ja": "Japanese", "pt": "Portuguese"}

client = anthropic.Anthropic()  # reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY


def translate(wanted: dict[str, tuple[str, str]], max_tokens: int) -> dict[str, str]:
    """The translations that came out whole, by id; what is missing failed or was cut."""
    batch = client.messages.batches.create(
        requests=[
            {
                "custom_id": custom_id,
                "params": {
                    "model": "claude-haiku-4-5",
                    "max_tokens": max_tokens,
                    "system": f"Translate into {language}. Answer with the translation alone.",
                    "messages": [{"role": "user", "content": text}],
                },
            }
            for custom_id, (text, language) in wanted.items()
        ]
    )
    while batch.processing_status != "ended":
        time.sleep(1)
        batch = client.messages.batches.retrieve(batch.id)
    return {
        line.custom_id: line.result.message.content[0].text
        for line in client.messages.batches.results(batch.id)
        if line.result.type == "succeeded" and line.result.message.stop_reason == "end_turn"
    }


jobs = {f"{name}-{code}": (text, language) for name, text in TEXTS.items() for code, language in LANGUAGES.items()}
done = translate(jobs, max_tokens=200)
missing = {custom_id: job for custom_id, job in jobs.items() if custom_id not in done}
if missing:
    done |= translate(missing, max_tokens=1_000)

for custom_id in jobs:
    print(f"{custom_id}: {done.get(custom_id, '(failed twice)')}")
