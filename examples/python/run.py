#!/usr/bin/env python3
"""Ask, read along, approve: with Python's standard library alone. Against `npm start` with its shipped agents:

    API=http://127.0.0.1:8080 TOKEN=… python3 examples/python/run.py
"""

import json
import os
import urllib.request
import uuid

API = os.environ.get("API", "http://127.0.0.1:8080")
RUNS = f"{API}/api/agents/finance_agent/runs"
HEADERS = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}


def call(method, url, body=None, headers=None, timeout=300):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={**HEADERS, **(headers or {})})
    return urllib.request.urlopen(request, timeout=timeout)


def ask(message):
    """Starts a run and waits until it settles; a repetition after a lost answer would join the same run."""
    key = str(uuid.uuid4())
    with call("POST", RUNS, {"message": message}, {"Idempotency-Key": key}) as answer:
        run = json.load(answer)
    while run["status"] in ("QUEUED", "RUNNING"):
        with call("GET", f"{RUNS}/{run['runId']}?wait=30") as answer:
            run = json.load(answer)
    return run


def frames(run_id, after=None):
    """The frames of a run, from the beginning or after an id; ends with STOP, CANCELLED or ERROR."""
    with call("GET", f"{RUNS}/{run_id}/stream", headers={"Last-Event-ID": after} if after else {}) as answer:
        for line in answer:
            if line.startswith(b"data:"):
                yield json.loads(line[5:])


def decide(run, action):
    """Votes on exactly what was shown, and waits for what comes next."""
    vote = lambda call: {"callId": call["callId"], "argumentsHash": call["argumentsHash"], "action": action}
    body = {"pauseId": run["pauseId"], "decisions": [vote(call) for call in run["pending"]]}
    with call("POST", f"{RUNS}/{run['runId']}/continue", body) as answer:
        return json.load(answer)


print(ask("What is the stock price of NVDA?")["content"])

run = ask("Send an e-mail to ada@example.com with the price of NVDA.")
print(run["status"], [f"{call['name']} {call['arguments']}" for call in run["pending"]])
run = decide(run, "APPROVE")
print(run["status"], run["content"])

for frame in frames(run["runId"]):
    print(frame["event"], json.dumps(frame["data"])[:100])
