#!/usr/bin/env bash
# One batch from start to end with curl alone.
#
#   export ANTHROPIC_BASE_URL=http://127.0.0.1:2424 ANTHROPIC_API_KEY=$(cat nightshift-data/first-key)
#   bash examples/batch.sh
set -euo pipefail

batches="$ANTHROPIC_BASE_URL/v1/messages/batches"
call() { curl --silent --show-error --fail-with-body -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" "$@"; }

requests='{"requests":[
  {"custom_id":"hello","params":{"model":"claude-haiku-4-5","max_tokens":32,"messages":[{"role":"user","content":"Say hello."}]}},
  {"custom_id":"wrong","params":{"model":"claude-haiku-4-5","max_tokens":0,"messages":[{"role":"user","content":"max_tokens is too small."}]}}
]}'

id=$(call "$batches" -H "content-type: application/json" --data "$requests" | grep -o 'msgbatch_[A-Za-z0-9]*' | head -n 1)
echo "created $id"

until call "$batches/$id" | grep -q '"processing_status":"ended"'; do sleep 1; done

# One line a request, in any order. `wrong` comes back errored: params are judged one by one, and never fail the batch.
call "$batches/$id/results"
