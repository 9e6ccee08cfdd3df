// What Schemathesis is told beside the document, and which of its checks are off or changed, each
// with its reason.

const AS_DOCUMENTED = [...['2xx', '401', '403', '404', '409', '410', '412', '422', '428'], '503'];
const list = (items: readonly string[]): string => JSON.stringify(items);

const RUNS = '/api/agents/{agentId}/runs';

const CURSOR = '`after` is a cursor of this very list, which it alone can read';
const MEDIA = 'media are what their bytes say, and what the agent can take';
const ADDRESS = 'an address has more rules than a pattern says, and no literal may be private';
const DOCUMENT = 'a document is what its bytes say';
const EDIT =
  "edited arguments are judged by the tool's own schema, and a list of decisions names each call once";

/** Where a request that fits the schema may still be 400, each by what no schema here can say. */
const JUDGED_BY_MORE_THAN_THE_SCHEMA: Readonly<Record<string, string>> = {
  '/api/runs': CURSOR,
  '/api/approvals': CURSOR,
  '/api/sessions': CURSOR,
  '/api/sessions/{sessionId}/runs': CURSOR,
  '/api/memories': CURSOR,
  '/api/knowledge': CURSOR,
  '/api/knowledge/{baseId}/documents': `${CURSOR}; ${DOCUMENT}`,
  '/api/webhooks': `${CURSOR}; ${ADDRESS}`,
  '/api/webhooks/{webhookId}/deliveries': CURSOR,
  [RUNS]: MEDIA,
  [`${RUNS}/background`]: MEDIA,
  [`${RUNS}/stream`]: MEDIA,
  [`${RUNS}/{runId}/continue`]: EDIT,
  '/api/runs/{runId}/continue': EDIT,
};

const STREAMS = [
  `${RUNS}/stream`,
  `${RUNS}/{runId}/stream`,
  '/api/runs/{runId}/stream',
  '/api/approvals/stream',
];

export const CONFIG = `
workers = 2
request-timeout = 20
# A stream of a run that waits stays open: its first frames are looked at.
max-stream-events = 3
continue-on-failure = true

[generation]
max-examples = 60
# JSON that PostgreSQL cannot store is refused as malformed, whatever a schema says (test/json/strict.test.ts).
allow-x00 = false

# Ids that exist, most of the time: requests made of chance alone would see nothing but 404.
[parameters]
"path.agentId" = { dictionary = "agents", probability = 0.8 }
"path.runId" = { dictionary = "runs", probability = 0.7 }
"path.sessionId" = { dictionary = "sessions", probability = 0.7 }
# What an agent allows.
"body.options.model" = { dictionary = "models" }
# Schemathesis does not keep to the pattern in a header.
"header.Last-Event-ID" = { dictionary = "positions" }

# A valid request may be refused by what it meets: a run that is not paused, a key that was used, events that are gone.
[checks]
positive_data_acceptance.expected-statuses = ${list(AS_DOCUMENTED)}

[[operations]]
include-path = ${list(Object.keys(JUDGED_BY_MORE_THAN_THE_SCHEMA))}
checks.positive_data_acceptance.expected-statuses = ${list([...AS_DOCUMENTED, '400'])}

[[operations]]
include-path-regex = "[{]runId[}]"
parameters."path.agentId" = { dictionary = "asker", probability = 0.9 }

# Frames are taken apart and held against OpenAPI 3.2's itemSchema; the document is 3.1, in which a stream is one text. That frames are
# what the document's Frame says is tested in test/api/streams.test.ts.
[[operations]]
include-path = ${list(STREAMS)}
checks.response_schema_conformance.enabled = false
`;
