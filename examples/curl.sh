#!/usr/bin/env bash
# Every door to a run with curl alone. Against `npm start` with its shipped agents:
#   API=http://127.0.0.1:8080 TOKEN=… examples/curl.sh
set -euo pipefail
API=${API:-http://127.0.0.1:8080}
: "${TOKEN:?is printed by npm start; npm run token makes others}"
RUNS=$API/api/agents/finance_agent/runs
curl() { command curl -sS --fail-with-body -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
title() { printf '\n\n--- %s\n' "$*"; }

title 'Ask, and wait for the answer'
curl "$RUNS" -d '{"message": "What is the stock price of NVDA?"}'

title 'Ask, and read along while it is written'
curl -N "$RUNS/stream" -d '{"message": "What is the stock price of AAPL?"}'

title 'Start something guarded in the background; the key makes a repetition safe'
STARTED=$(curl "$RUNS/background" -H "Idempotency-Key: example-$$" -d '{"message": "Send an e-mail to ada@example.com with the price of NVDA."}')
echo "$STARTED"
RUN_ID=$(field runId <<<"$STARTED") SESSION_ID=$(field sessionId <<<"$STARTED")

title 'Join it: it settles as PAUSED'
PAUSED=$(curl "$RUNS/$RUN_ID?wait=30")
echo "$PAUSED"

title 'What waits for me'
curl "$API/api/approvals?limit=5"

title 'Approve exactly what was shown'
CALL_ID=$(field callId <<<"$PAUSED") HASH=$(field argumentsHash <<<"$PAUSED")
curl "$RUNS/$RUN_ID/continue" -d "{\"action\": \"APPROVE\", \"callId\": \"$CALL_ID\", \"argumentsHash\": \"$HASH\"}"

title 'What happened, as it was stored'
curl "$RUNS/$RUN_ID/events?limit=100"

title 'The conversation, its runs, and what today has cost'
curl "$API/api/sessions/$SESSION_ID"
curl "$API/api/runs?sessionId=$SESSION_ID&status=COMPLETED"
curl "$API/api/usage?from=$(date -u +%F)"

title 'Forget the conversation'
curl -X DELETE -o /dev/null -w '%{http_code}\n' "$API/api/sessions/$SESSION_ID"
