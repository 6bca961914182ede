"""The error classes of the official Python SDK, and canceling, on a server whose requests never end by themselves."""

import time

import anthropic

client = anthropic.Anthropic(max_retries=0)
batches = client.messages.batches


def request(custom_id):
    return {
        "custom_id": custom_id,
        "params": {"model": "claude-test", "max_tokens": 16, "messages": [{"role": "user", "content": "Hello"}]},
    }


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


batch = batches.create(requests=[request("one"), request("two")])
early = raises(anthropic.NotFoundError, lambda: client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object))
assert "has no available results" in str(early), early
raises(anthropic.AnthropicError, lambda: batches.results(batch.id))
raises(anthropic.BadRequestError, lambda: batches.delete(batch.id))
raises(anthropic.NotFoundError, lambda: batches.retrieve("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"))
raises(anthropic.BadRequestError, lambda: batches.create(requests=[request("same"), request("same")]))
raises(anthropic.BadRequestError, lambda: batches.create(requests=[]))
stranger = anthropic.Anthropic(api_key="sk-of-somebody-else", max_retries=0)
raises(anthropic.AuthenticationError, lambda: stranger.messages.batches.retrieve(batch.id))

canceling = batches.cancel(batch.id)
assert canceling.processing_status == "canceling" and canceling.cancel_initiated_at is not None
deadline = time.monotonic() + 15
while (batch := batches.retrieve(batch.id)).processing_status != "ended":
    assert time.monotonic() < deadline, "the cancel is not final"
    time.sleep(0.02)
assert batch.request_counts.canceled == 2, batch.request_counts
assert [line.result.type for line in batches.results(batch.id)] == ["canceled", "canceled"]
assert batches.cancel(batch.id).processing_status == "ended"
