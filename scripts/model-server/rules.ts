// The rules of docs/models.md that any server can be asked about: what goes back to it, and what
// comes at the end of its replies.

import assert from 'node:assert/strict';
import { cameAsText, readCameAs } from '../../src/models/came-as.ts';
import type { ModelMessage, ModelReply } from '../../src/models/model.ts';
import { endOf } from '../../src/models/openai/dialects.ts';
import { ask, faultOf, shown, shownFault, user, type Tried } from './asking.ts';
import { PRICE, type Case } from './cases.ts';
import { NotTried } from './verdicts.ts';

/** A turn of one call of `PRICE`'s, and what its tool answered. */
const exchange = (
  result: string,
  call: { readonly name?: string; readonly argumentsText?: string } = {},
): readonly ModelMessage[] => [
  user('What does NVDA cost?'),
  {
    role: 'assistant',
    text: '',
    toolCalls: [{ id: 'call_1', name: PRICE.name, argumentsText: '{"ticker":"NVDA"}', ...call }],
  },
  { role: 'tool', toolCallId: 'call_1', text: result },
];

/** Taken, whatever the model makes of it. */
const taken = (
  name: string,
  request: Parameters<typeof ask>[1],
  check: (reply: ModelReply) => void = () => undefined,
): Case => ({
  name,
  async run(tried) {
    const { reply } = await ask(tried, { maxTokens: 512, ...request });
    check(reply);
    return shown(reply);
  },
});
const callsNothing = (reply: ModelReply): void =>
  assert.equal(reply.toolCalls.length, 0, `it called all the same: ${shown(reply)}`);

async function oneCall(tried: Tried): Promise<ModelReply> {
  const messages = [user('What does NVDA cost?')];
  const { reply } = await ask(tried, { messages, tools: [PRICE], maxTokens: 512 });
  if (reply.toolCalls.length === 0) throw new NotTried(`the model called nothing: ${shown(reply)}`);
  return reply;
}

export const RULES: readonly Case[] = [
  {
    name: 'a turn of its own goes back as it came',
    async run(tried) {
      const first = await oneCall(tried);
      const cameAs = readCameAs(cameAsText(first, tried.model));
      const toolCalls = first.toolCalls.map((call, at) => ({ ...call, id: `call_${at}` }));
      const { reply } = await ask(tried, {
        messages: [
          user('What does NVDA cost?'),
          {
            role: 'assistant',
            text: first.text,
            toolCalls,
            ...(cameAs === undefined ? {} : { cameAs }),
          },
          ...toolCalls.map(({ id }): ModelMessage => ({
            role: 'tool',
            toolCallId: id,
            text: '181.50 USD',
          })),
        ],
        tools: [PRICE],
        maxTokens: 512,
      });
      const ids = first.toolCalls.map(({ id }) => (id === '' ? 'none' : id)).join(', ');
      const added = [
        ...Object.keys(first.fields ?? {}),
        ...first.toolCalls.flatMap(({ fields }) => Object.keys(fields ?? {})),
      ];
      return `id ${ids}${added.length === 0 ? '' : `, with ${added.join(', ')}`}: ${shown(reply)}`;
    },
  },
  taken('a turn of another model, with a name and arguments that are none', {
    messages: exchange('The call was not run: there is no such tool.', {
      name: 'get stock/price!',
      argumentsText: '{"ticker":',
    }),
    tools: [PRICE],
  }),
  taken('a tool that answered with no text', { messages: exchange(''), tools: [PRICE] }),
  taken('a transcript with calls of tools that are not offered any more', {
    messages: exchange('181.50 USD'),
  }),
  taken('a tool without arguments', {
    tools: [{ name: 'ping', description: 'Says pong.', input: { type: 'object' } }],
  }),
  taken(
    'tools that may not be called, for follow-ups',
    {
      messages: [
        ...exchange('181.50 USD'),
        { role: 'assistant', text: 'NVDA costs 181.50 USD.' },
        user('What does NVDA cost now?'),
      ],
      tools: [PRICE],
      toolChoice: 'none',
    },
    callsNothing,
  ),
  {
    name: 'max_tokens, temperature and stream_options, or one more try without',
    async run(tried) {
      const notices: string[] = [];
      await ask(tried, { maxTokens: 512, temperature: 0.2 }, undefined, (notice) =>
        notices.push(notice),
      );
      return notices.length === 0 ? 'all taken' : notices.join(' ');
    },
  },
  {
    name: 'a reply ends with a word that is known',
    async run(tried) {
      const { reply } = await ask(tried, { maxTokens: 512 });
      const body = tried.last()?.body ?? '';
      const word = [...body.matchAll(/"finish_reason"\s*:\s*"([^"]+)"/g)].at(-1)?.[1] ?? '';
      assert.ok(endOf(word) !== undefined, `"${word}" is in no line of dialects.ts`);
      const marked = /^data:\s*\[DONE\]/m.test(body) ? '' : 'no ';
      return `${word} as ${reply.finishReason}, ${marked}[DONE]`;
    },
  },
  {
    name: 'thoughts come under a name that is known',
    async run(tried) {
      const { reply } = await ask(tried, {
        messages: [user('Think step by step: what is 17 times 23?')],
        maxTokens: 4096,
      });
      assert.doesNotMatch(reply.text, /<think>/, 'they stand in the text, between <think> tags');
      if (reply.reasoning === '') throw new NotTried('it sent none');
      return Object.keys(reply.fields ?? {}).join(', ');
    },
  },
  {
    name: 'a key that is none',
    async run(tried) {
      if (tried.apiKey === '') throw new NotTried('no --key was given');
      const error = await faultOf({ ...tried, apiKey: 'sk-none' }, {});
      assert.deepEqual([error.fault, error.retryable], ['REJECTED', false], shownFault(error));
      return shownFault(error);
    },
  },
];

/** What a server does of its own accord alone; the tests of the port play it. */
export const UNASKED: readonly string[] = [
  'a rate is told as 429, with the time to wait',
  'a used-up quota is told apart from a rate',
  'an answer that breaks off is told apart from a whole one',
  'keep-alives during a long silence',
];
