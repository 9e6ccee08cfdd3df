import assert from 'node:assert/strict';
import fc from 'fast-check';
import { transcriptOf } from '../../src/activities/transcript.ts';
import { cameAsText } from '../../src/models/came-as.ts';
import type { ModelMessage, ModelReply, ModelRequest } from '../../src/models/model.ts';
import { requestBody } from '../../src/models/openai/request.ts';
import { agent } from '../store/fixture.ts';
import { strictServer, type Body } from './strict-server.ts';

const bodyOf = (request: Partial<ModelRequest>): Body & Record<string, unknown> =>
  requestBody({ model: 'm', messages: [], tools: [], ...request }, new Set()) as never;

const NINE = /^[a-zA-Z0-9]{9}$/;
const reply = (more: Partial<ModelReply>): ModelReply => ({
  text: '',
  reasoning: '',
  toolCalls: [],
  finishReason: 'tool_calls',
  model: 'm',
  usage: null,
  ...more,
});
/** One turn of a model with one call, and its result. */
const turn = (at: number, given: Partial<ModelReply>, asked = 'm'): readonly ModelMessage[] => {
  const whole = reply({
    toolCalls: [{ id: 'theirs', name: 'f', argumentsText: '{}' }],
    ...given,
  });
  return [
    {
      role: 'assistant',
      text: whole.text,
      toolCalls: whole.toolCalls.map((call, idx) => ({ ...call, id: `call_${at}_${idx}` })),
      cameAs: JSON.parse(cameAsText(whole, asked)) as never,
    },
    ...whole.toolCalls.map((_, idx): ModelMessage => ({
      role: 'tool',
      toolCallId: `call_${at}_${idx}`,
      text: 'done',
    })),
  ];
};
const asked: ModelMessage = { role: 'user', text: 'Hello' };
const idsIn = (body: Body): readonly string[] =>
  body.messages.flatMap((message) => (message.tool_calls ?? []).map((call) => call.id));

describe('models: the request', () => {
  it('gives back what came from the asked model as it came: ids, fields of calls, reasoning under its own name', () => {
    const signed = { extra_content: { google: { thought_signature: 'c2ln' } } };
    const { messages } = bodyOf({
      messages: [
        asked,
        ...turn(1, {
          text: 'So.',
          fields: { reasoning_content: 'hm' },
          toolCalls: [
            {
              id: 'functions.f:0',
              name: 'f',
              argumentsText: '{"a":1}',
              fields: signed,
              functionFields: { note: 1 },
            },
          ],
        }),
      ],
    });
    assert.deepEqual(messages[1], {
      role: 'assistant',
      content: 'So.',
      reasoning_content: 'hm',
      tool_calls: [
        {
          ...signed,
          id: 'functions.f:0',
          type: 'function',
          function: { note: 1, name: 'f', arguments: '{"a":1}' },
        },
      ],
    });
  });

  it('gives another model neither fields nor ids of the first, and ids that every server takes', () => {
    const { messages } = bodyOf({
      model: 'other',
      messages: [
        asked,
        ...turn(1, {
          fields: { reasoning: 'hm' },
          toolCalls: [{ id: 'x', name: 'f', argumentsText: '{}', fields: { extra: 1 } }],
        }),
      ],
    });
    const id = messages[2]?.tool_call_id ?? '';
    assert.match(id, NINE);
    assert.deepEqual(messages[1], {
      role: 'assistant',
      content: null,
      tool_calls: [{ id, type: 'function', function: { name: 'f', arguments: '{}' } }],
    });
  });

  it("keeps a provider's id only where it is once in the whole transcript", () => {
    const again = bodyOf({ messages: [asked, ...turn(1, {}), ...turn(2, {})] });
    assert.ok(idsIn(again).every((id) => NINE.test(id)));
    const calls = (ids: readonly string[]) =>
      bodyOf({
        messages: [
          asked,
          ...turn(1, { toolCalls: ids.map((id) => ({ id, name: 'f', argumentsText: '{}' })) }),
        ],
      });
    assert.deepEqual(idsIn(calls(['one', 'two'])), ['one', 'two']);
    const [first = '', second = '', kept] = idsIn(calls(['same', 'same', 'kept']));
    assert.ok(NINE.test(first) && NINE.test(second) && first !== second && kept === 'kept');
    assert.match(idsIn(calls(['']))[0] ?? '', NINE);
  });

  it('puts the documented placeholder where a model is known to refuse a turn of another without it', () => {
    const foreign = [asked, ...turn(1, {}, 'gpt-4o')];
    const gemini = bodyOf({ model: 'google/gemini-3-pro-preview', messages: foreign });
    assert.deepEqual((gemini.messages[1] as never as { tool_calls: object[] }).tool_calls[0], {
      extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } },
      id: idsIn(gemini)[0],
      type: 'function',
      function: { name: 'f', arguments: '{}' },
    });
    for (const model of ['deepseek-v4-pro', 'deepseek-reasoner', 'kimi-k2.5', 'kimi-k2-thinking']) {
      const [, message] = bodyOf({ model, messages: foreign }).messages;
      assert.equal((message as never as Record<string, unknown>)['reasoning_content'], ' ', model);
    }
    for (const model of ['deepseek-chat', 'gemini-2.5-pro', 'gpt-5', 'mistral-large'])
      assert.doesNotMatch(
        JSON.stringify(bodyOf({ model, messages: foreign })),
        /reasoning_content|thought_signature/,
      );
    // Its own turns stay as they came, though it signed none of them.
    const own = bodyOf({
      model: 'gemini-3-pro',
      messages: [asked, ...turn(1, {}, 'gemini-3-pro')],
    });
    assert.doesNotMatch(JSON.stringify(own), /thought_signature/);
  });

  it('knows a model that signs its calls by its own turns, whatever it is called', () => {
    const signed = turn(1, {
      toolCalls: [
        {
          id: 'a',
          name: 'f',
          argumentsText: '{}',
          fields: { extra_content: { google: { thought_signature: 's' } } },
        },
      ],
    });
    const body = bodyOf({ messages: [asked, ...signed, ...turn(2, {}, 'spare')] });
    assert.match(JSON.stringify(body.messages[3]), /skip_thought_signature_validator/);
  });

  it('declares the names that are in a transcript of an agent without tools, and lets none be called', () => {
    const body = bodyOf({ messages: [asked, ...turn(1, {})] });
    assert.deepEqual(
      [body.tools?.map((tool) => tool.function.name), body.tool_choice],
      [['f'], 'none'],
    );
    assert.ok(!('tools' in bodyOf({ messages: [asked] })));
  });

  it('has its tools for the transcript alone where none may be called, and none without calls', () => {
    const tools = [{ name: 'f', description: 'd', input: { type: 'object' } }];
    const body = bodyOf({ tools, toolChoice: 'none', messages: [asked, ...turn(1, {})] });
    assert.deepEqual([body.tools?.length, body.tool_choice], [1, 'none']);
    const plain = bodyOf({ tools, toolChoice: 'none', messages: [asked] });
    assert.ok(!('tools' in plain) && !('tool_choice' in plain));
  });

  it('holds nothing that a strict server refuses, whatever the run', () => {
    const text = fc.oneof(
      fc.constantFrom('', ' \n', 'text', 'Grüße 👋', '{"a":1}'),
      fc.string({ maxLength: 12 }),
    );
    const nonBlank = text.map((each) => (each.trim() === '' ? 'x' : each));
    const name = fc.oneof(
      fc.constantFrom('f', '', 'browser.tabs open', 'functions.f', 'n'.repeat(90), 'größe'),
      fc.string({ maxLength: 70 }),
    );
    const call = fc.record({
      id: fc.constantFrom('', 'call_0', 'a', 'b', 'Xy7Qp2Lm9'),
      name,
      arguments: fc.constantFrom('{}', '{"a":1}'),
      result: fc.option(text, { nil: null }),
      proposedArguments: fc.constantFrom(null, '{"a":2}'),
    });
    const pastTurn = fc.record({
      text,
      model: fc.constantFrom('m', 'other', 'gemini-3-pro', 'deepseek-v4'),
      kept: fc.boolean(),
      fields: fc.constantFrom({}, { reasoning_content: '' }, { reasoning: 'hm' }),
      calls: fc.array(call, { minLength: 1, maxLength: 4 }),
    });
    const input = fc.constantFrom(
      { type: 'object' },
      {},
      { $schema: 'x', type: 'object', properties: { a: { type: 'array' }, b: { type: 'object' } } },
    );
    fc.assert(
      fc.property(
        fc.record({
          instructions: text,
          history: fc.array(fc.record({ question: nonBlank, answer: text }), { maxLength: 3 }),
          input: nonBlank,
          turns: fc.array(pastTurn, { maxLength: 4 }),
          tools: fc.array(fc.record({ name: fc.constantFrom('f', 'g_h'), input }), {
            maxLength: 2,
          }),
          asked: fc.constantFrom('m', 'other', 'gemini-3-pro', 'deepseek-v4'),
          followUps: fc.boolean(),
        }),
        (run) => {
          const turns = run.turns.map((each, t) => ({
            turn: t + 1,
            text: each.text,
            cameAs: each.kept
              ? cameAsText(
                  reply({
                    fields: each.fields,
                    toolCalls: each.calls.map(({ id, name: of }) => ({
                      id,
                      name: of,
                      argumentsText: '{}',
                    })),
                  }),
                  each.model,
                )
              : null,
            calls: each.calls.map((one, idx) => ({ ...one, callId: `call_${t}_${idx}` })),
          }));
          const messages = transcriptOf({
            agent: agent({ instructions: run.instructions }),
            history: run.history.map((each, at) => ({
              ...each,
              runId: `r${at}`,
              hasMedia: false,
            })),
            input: run.input,
            turns,
          });
          const tools = run.tools.map((tool) => ({ ...tool, description: '' }));
          const follow: readonly ModelMessage[] = run.followUps
            ? [
                { role: 'assistant', text: 'The answer.' },
                { role: 'user', text: 'What next?' },
              ]
            : [];
          strictServer(
            bodyOf({
              model: run.asked,
              messages: [...messages, ...follow],
              tools,
              ...(run.followUps ? { toolChoice: 'none' as const } : {}),
            }),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
