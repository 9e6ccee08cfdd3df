// What the port is tried with, and what must come of it on any server. `record` names the exchanges
// that are kept for the tests.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelFault, ModelMessage, ModelRequest, ModelTool } from '../../src/models/model.ts';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import { codeTools } from '../../src/tools/index.ts';
import { ask, faultOf, parsed, shown, shownFault, user, within, type Tried } from './asking.ts';
import { CONTEXT_TOKENS } from './llama-server.ts';
import { NotTried } from './verdicts.ts';

export interface Case {
  readonly name: string;
  readonly record?: string;
  /** What came, in a few words. */
  readonly run: (tried: Tried) => Promise<string>;
  /** Only where the server is ours: it needs the small model's cues, or breaks the server. */
  readonly tinyOnly?: boolean;
}

export const PRICE: ModelTool = {
  name: 'get_stock_price',
  description: 'Looks up the price of a stock.',
  input: {
    type: 'object',
    properties: { ticker: { type: 'string', maxLength: 8 } },
    required: ['ticker'],
    additionalProperties: false,
  },
};
/** As a run offers them: jsonb keeps shorter keys first. */
const EXAMPLES: readonly ModelTool[] = [...codeTools.values()].map(
  ({ name, description, input }) => ({
    name,
    description,
    input: JSON.parse(JSON.stringify(input), (_, value: unknown) =>
      stored(value),
    ) as ModelTool['input'],
  }),
);

function stored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).toSorted(([a], [b]) => a.length - b.length || (a < b ? -1 : 1)),
  );
}
const NO_SCHEMA: ModelTool = {
  ...PRICE,
  input: { type: 'object', properties: { ticker: { type: 'nonsense' } } },
};
const TINY = { tinyOnly: true } as const;
const call = (id: string, ticker: string) => ({
  id,
  name: PRICE.name,
  argumentsText: JSON.stringify({ ticker }),
});

/** Refused for good, and said so in the fault asked for. */
const refused = (
  name: string,
  record: string,
  fault: ModelFault,
  request: Partial<ModelRequest>,
  more: Partial<Case> = {},
): Case => ({
  name,
  record,
  ...more,
  async run(tried) {
    const error = await faultOf(tried, request);
    assert.deepEqual([error.fault, error.retryable], [fault, false], shownFault(error));
    return shownFault(error);
  },
});

export const CASES: readonly Case[] = [
  {
    name: 'text, streamed',
    record: 'text',
    async run(tried) {
      const { reply, deltas } = await ask(tried, {
        messages: [{ role: 'system', text: 'Be brief.' }, user('Hello')],
        maxTokens: 64,
      });
      assert.ok(
        deltas.length > 1 &&
          (reply.reasoning + reply.text).length ===
            deltas.map((delta) => delta.text).join('').length,
        `${shown(reply)}, ${deltas.length} deltas`,
      );
      assert.ok(
        reply.usage !== null && reply.usage.promptTokens > 0 && reply.usage.completionTokens > 0,
        shown(reply),
      );
      return `${shown(reply)}, ${deltas.length} deltas`;
    },
  },
  {
    name: 'cut by max_tokens',
    record: 'length',
    async run(tried) {
      const { reply } = await ask(tried, { maxTokens: 3 });
      assert.deepEqual(
        [reply.finishReason, reply.usage?.completionTokens],
        ['length', 3],
        shown(reply),
      );
      return shown(reply);
    },
  },
  {
    name: 'a tool call',
    record: 'tool-call',
    async run(tried) {
      const { reply } = await ask(tried, {
        messages: [user('What does NVDA cost?')],
        tools: [PRICE],
        maxTokens: 512,
      });
      assert.deepEqual(
        reply.toolCalls.map(({ name, argumentsText }) => [name, parsed(argumentsText)]),
        [[PRICE.name, { ticker: 'NVDA' }]],
        shown(reply),
      );
      assert.notEqual(reply.toolCalls[0]?.id, '');
      return shown(reply);
    },
  },
  {
    name: 'two calls in one turn',
    record: 'parallel-calls',
    async run(tried) {
      const { reply } = await ask(tried, {
        messages: [user('What do AAPL and MSFT cost? Look both up.')],
        tools: [PRICE],
        maxTokens: 512,
      });
      if (reply.toolCalls.length === 1) throw new NotTried(`the model made one: ${shown(reply)}`);
      assert.deepEqual(
        reply.toolCalls.map(({ argumentsText }) => parsed(argumentsText)),
        [{ ticker: 'AAPL' }, { ticker: 'MSFT' }],
        shown(reply),
      );
      return shown(reply);
    },
  },
  {
    name: 'a transcript with calls, results and an earlier exchange',
    record: 'transcript',
    async run(tried) {
      const messages: readonly ModelMessage[] = [
        { role: 'system', text: 'Be brief.' },
        user('Hello'),
        { role: 'assistant', text: 'Good day.' },
        user('What do AAPL and NVDA cost?'),
        {
          role: 'assistant',
          text: '',
          toolCalls: [call('call_1', 'AAPL'), call('call_2', 'NVDA')],
        },
        { role: 'tool', toolCallId: 'call_1', text: '228.10 USD' },
        { role: 'tool', toolCallId: 'call_2', text: '181.50 USD' },
      ];
      const { reply } = await ask(tried, { messages, tools: [PRICE], maxTokens: 512 });
      assert.equal(reply.finishReason, 'stop', shown(reply));
      assert.match(reply.text, /181\.50/, shown(reply));
      return shown(reply);
    },
  },
  {
    name: 'reasoning before the answer',
    record: 'reasoning',
    tinyOnly: true,
    async run(tried) {
      const { reply, deltas } = await ask(tried, {
        messages: [user('ponder this')],
        maxTokens: 64,
      });
      assert.match(reply.reasoning, /wants me to think/);
      assert.match(reply.text, /I have thought/);
      return `${shown(reply)}; ${deltas.map((delta) => delta.kind).join(' ')}`;
    },
  },
  ...(
    [
      ['in the middle of its arguments', 'tool-call-cut', 5],
      ['before its name', 'tool-call-cut-early', 2],
    ] as const
  ).map(([where, record, maxTokens]) =>
    refused(
      `a tool call cut by max_tokens ${where}`,
      record,
      'INCOMPLETE',
      { messages: [user('NVDA?')], tools: [PRICE], maxTokens },
      TINY,
    ),
  ),
  {
    name: 'a reply that fills the context',
    record: 'context-full',
    tinyOnly: true,
    async run(tried) {
      const { reply } = await ask(tried, {
        messages: [user(`endless ${'x'.repeat(CONTEXT_TOKENS - 300)}`)],
      });
      assert.equal(reply.finishReason, 'length');
      return shown(reply);
    },
  },
  {
    name: 'an abort in mid-stream stops the server',
    async run(tried) {
      const stopping = new AbortController();
      let heard = 0;
      const model = createOpenAiModel({ baseUrl: tried.url, apiKey: tried.apiKey });
      const request = {
        model: tried.model,
        messages: [user('Count from one to a thousand. (endless)')],
        tools: [],
        maxTokens: 8000,
      };
      const onDelta = (): void => {
        if (++heard === 3) stopping.abort();
      };
      await assert.rejects(model.stream(request, { signal: stopping.signal, onDelta }), {
        name: 'ModelError',
        fault: 'ABORTED',
      });
      const at = Date.now();
      for (;;) {
        const busy = await tried.busy();
        if (busy === undefined) return 'ABORTED (this server does not say whether it has stopped)';
        if (!busy) return `ABORTED; the server was idle ${Date.now() - at} ms later`;
        assert.ok(Date.now() - at < 2000, 'the server goes on writing for nobody');
        await sleep(10);
      }
    },
  },
  refused('a prompt longer than the context', 'context-too-long', 'CONTEXT_TOO_LONG', {
    messages: [user('long '.repeat(40_000))],
  }),
  {
    name: 'an unknown route',
    record: 'unknown-route',
    async run(tried) {
      const error = await faultOf({ ...tried, url: within(tried.url, 'nowhere') }, {});
      assert.deepEqual([error.fault, error.retryable], ['REJECTED', false], shownFault(error));
      return shownFault(error);
    },
  },
  refused('a schema that is none', 'bad-schema', 'REJECTED', { tools: [NO_SCHEMA] }, TINY),
  {
    name: 'the schemas of the example tools',
    record: 'example-tools',
    async run(tried) {
      const { reply } = await ask(tried, {
        messages: [user('What does NVDA cost?')],
        tools: EXAMPLES,
        maxTokens: 512,
      });
      return shown(reply);
    },
  },
  {
    name: 'a call whose arguments the schema bounds',
    record: 'send-email',
    tinyOnly: true,
    async run(tried) {
      const { reply } = await ask(tried, {
        messages: [user('Send it by courier')],
        tools: EXAMPLES,
        maxTokens: 512,
      });
      return shown(reply);
    },
  },
  refused(
    'an image for a model without eyes',
    'image',
    'REJECTED',
    { messages: [{ role: 'user', text: 'Look', media: [{ kind: 'image', url: PIXEL() }] }] },
    TINY,
  ),
  refused(
    'a second system message, which the chat template refuses',
    'template-refuses',
    'REJECTED',
    { messages: [user('Hello'), { role: 'system', text: 'Be brief.' }, user('Hello')] },
    TINY,
  ),
];

/** One red pixel. */
function PIXEL(): string {
  return 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
}
