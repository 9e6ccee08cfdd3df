#!/usr/bin/env python3
"""Prints call-hash-vectors.json: what an approval covers, hashed by a program that shares no line
with the product. RFC 8785 of objects without fractions is json.dumps with sorted keys, no spaces
and no escapes beyond JSON's own. Run it only to add vectors: those that exist are a promise."""

import hashlib
import json

BASE = {
    "org": "acme",
    "runId": "run_0199a3f0-0000-7000-8000-000000000001",
    "callId": "call_000000000000000000000001",
    "tool": "pay",
    "toolVersion": "v1",
    "arguments": {"amountCents": 1000000, "to": "DE02"},
}
CHANGES = [
    ("a payment", {}),
    ("of another org", {"org": "acme2"}),
    ("of another run", {"runId": "run_0199a3f0-0000-7000-8000-000000000002"}),
    ("of another call", {"callId": "call_000000000000000000000002"}),
    ("of another tool", {"tool": "pay2"}),
    ("of another version", {"toolVersion": "v2"}),
    ("of another amount", {"arguments": {"amountCents": 1000001, "to": "DE02"}}),
    ("without arguments", {"arguments": {}}),
    ("with quotes in its names", {"org": 'a"c', "tool": "p\\ay", "toolVersion": 'v"1'}),
    ("beyond ASCII", {"org": "\u00e4cme", "arguments": {"to": "M\u00fcller \U0001f600 \u20ac", "\u00e9": 1}}),
    ("with control characters", {"arguments": {"text": "a\n\tb\u0001\u007f\u2028"}}),
    ("nested", {"arguments": {"b": [1, {"z": None, "a": True}], "a": -7}}),
]


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


vectors = []
for name, change in CHANGES:
    call = {**BASE, **change}
    vectors.append(
        {
            "name": name,
            "call": {**call, "arguments": canonical(call["arguments"])},
            "hash": sha256(canonical({"v": 1, **call})),
        }
    )
run_id = BASE["runId"]
ids = [
    {
        "turn": turn,
        "index": index,
        "callId": "call_" + sha256(f"{run_id} {turn} {index}")[:24],
        "pauseId": "pause_" + sha256(f"{run_id} {turn} pause {index}")[:24],
    }
    for turn, index in [(1, 0), (1, 1), (2, 0), (12, 3)]
]
print(json.dumps({"runId": run_id, "calls": vectors, "ids": ids}, indent=2))
