"""Every batch call of the official Python SDK on a server whose answers come at once; the plain surface and the beta one."""

import sys
import time

import anthropic

client = anthropic.Anthropic(max_retries=0)


def request(custom_id, **params):
    base = {"model": "claude-test", "max_tokens": 16, "messages": [{"role": "user", "content": f"Hello, {custom_id}"}]}
    return {"custom_id": custom_id, "params": {**base, **params}}


def ended(batches, batch_id):
    deadline = time.monotonic() + 15
    while (batch := batches.retrieve(batch_id)).processing_status != "ended":
        assert time.monotonic() < deadline, f"{batch_id} has not ended"
        time.sleep(0.02)
    return batch


def through_a_batch(batches):
    created = batches.create(requests=[request("fine"), request("broken", messages=[])])
    assert created.id.startswith("msgbatch_01"), created.id
    assert created.request_counts.processing == 2
    assert (created.expires_at - created.created_at).total_seconds() == 24 * 3600
    counts = ended(batches, created.id).request_counts
    assert (counts.succeeded, counts.errored, counts.processing) == (1, 1, 0), counts
    results = {line.custom_id: line.result for line in batches.results(created.id)}
    assert results["fine"].message.content[0].type == "text"
    assert results["broken"].error.error.type == "invalid_request_error", results["broken"]
    deleted = batches.delete(created.id)
    assert (deleted.id, deleted.type) == (created.id, "message_batch_deleted")
    try:
        batches.retrieve(created.id)
        raise AssertionError("a deleted batch was found")
    except anthropic.NotFoundError:
        pass


def list_both_ways(batches):
    created = [batches.create(requests=[request("only")]).id for _ in range(5)]
    forward = []
    for batch in batches.list(limit=2):
        forward.append(batch.id)
        if batch.id == created[0]:
            break
    assert forward == created[::-1], forward
    backward = [batch.id for batch in batches.list(limit=2, before_id=created[0])]
    assert sorted(backward) == sorted(created[1:]), backward


def classify_tickets():
    """A hundred tickets in one batch, matched to their results by custom_id."""
    tickets = {f"ticket-{number}": f"Ticket {number}: I was charged twice." for number in range(100)}
    requests = [request(custom_id, messages=[{"role": "user", "content": text}]) for custom_id, text in tickets.items()]
    batch = client.messages.batches.create(requests=requests)
    assert ended(client.messages.batches, batch.id).request_counts.succeeded == 100
    lines = list(client.messages.batches.results(batch.id))
    assert len(lines) == 100 and {line.custom_id for line in lines} == set(tickets)


through_a_batch(client.messages.batches)
through_a_batch(client.beta.messages.batches)
list_both_ways(client.messages.batches)
classify_tickets()
print("anthropic", anthropic.__version__, "on Python", sys.version.split()[0])
