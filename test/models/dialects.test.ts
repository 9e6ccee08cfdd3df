// Replies in the forms that servers of the family really send, through the port and over HTTP.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelReply } from '../../src/models/model.ts';
import {
  answer,
  callPart as part,
  delta,
  done,
  event,
  expectFault,
  fails,
  sse,
  startScriptedProvider,
  type Script,
  type ScriptedProvider,
} from './scripted-provider.ts';

const USAGE = { prompt_tokens: 12, completion_tokens: 7 };

describe('models: dialects', () => {
  let provider: ScriptedProvider;
  before(async () => {
    provider = await startScriptedProvider();
  });
  after(() => provider.close());

  const replyTo = async (script: Script): Promise<ModelReply> => {
    provider.script = script;
    return (await provider.call()).reply;
  };
  const callsOf = (reply: ModelReply) =>
    reply.toolCalls.map((call) => [call.name, call.argumentsText]);
  const whole = (message: object, finish: string | null = 'stop') => ({
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finish }],
    usage: USAGE,
  });

  describe('the end of a reply', () => {
    it('comes after the finish reason: what follows it still belongs to the reply', async () => {
      const every = await replyTo((res) => {
        sse(res);
        for (const word of ['one ', 'two ', 'three']) delta(res, { content: word }, 'stop');
        done(res);
      });
      assert.equal(every.text, 'one two three');
      const early = await replyTo((res) => {
        sse(res);
        delta(res, { role: 'assistant', content: '' }, 'stop');
        delta(res, part(0, 'a', 'f', '{}'), 'tool_calls');
        done(res);
      });
      assert.deepEqual(callsOf(early), [['f', '{}']]);
    });

    it('is a silence in which only comments come, and no chunk with anything of the reply', async () => {
      let comments: NodeJS.Timeout | undefined;
      provider.script = (res) => {
        sse(res);
        delta(res, { content: 'all' }, 'stop');
        comments = setInterval(() => res.write(': ping\n\ndata:\n\ndata: {"type":"ping"}\n\n'), 20);
      };
      const { reply } = await provider.call({ timeouts: { trailerMs: 120 } });
      clearInterval(comments);
      assert.equal(reply.text, 'all');
    });

    it('is not where a connection fails behind a finish reason that came with every chunk', async () => {
      provider.script = async (res) => {
        sse(res);
        for (const word of ['one ', 'two ']) delta(res, { content: word }, 'stop');
        await sleep(20);
        res.destroy();
      };
      await expectFault(provider, 'INCOMPLETE', true);
    });

    it('is read in the words of other houses: cut, filtered, broken off', async () => {
      for (const word of ['max_tokens', 'MAX_TOKENS', 'model_length', 'FinishReason.MAX_TOKENS'])
        assert.equal((await replyTo(answer([{ content: 'x' }], word))).finishReason, 'length');
      for (const word of ['SAFETY', 'content_filter: RECITATION', 'sensitive'])
        assert.equal(
          (await replyTo(answer([{ content: 'x' }], word))).finishReason,
          'content_filter',
        );
      for (const word of ['end_turn', 'STOP', 'eos', 'FinishReason.STOP'])
        assert.equal((await replyTo(answer([{ content: 'x' }], word))).finishReason, 'stop');
      for (const word of [
        'error',
        'insufficient_system_resource',
        'network_error',
        'function_call_filter: MALFORMED_FUNCTION_CALL',
      ]) {
        provider.script = answer([{ content: 'half' }], word);
        await expectFault(provider, 'INCOMPLETE', true);
      }
    });

    it('with a word that is not known has that word, and is none where nothing came or a call is not whole', async () => {
      assert.equal((await replyTo(answer([{ content: 'x' }], 'odd end'))).finishReason, 'odd_end');
      for (const pieces of [[], [part(0, 'a', 'f', '{"a":')]]) {
        provider.script = answer(pieces, 'engine_overloaded');
        await expectFault(provider, 'INCOMPLETE', true);
      }
      assert.equal(
        (await replyTo(answer([part(0, 'a', 'f', '{"a":1}')], 'whatever'))).finishReason,
        'tool_calls',
      );
    });
  });

  describe('a whole message', () => {
    it('in one event, or as a JSON body of any type, is the reply that it is', async () => {
      const message = {
        content: 'Four.',
        reasoning_content: 'hm',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
      };
      for (const script of [
        (res) => {
          sse(res);
          event(res, whole(message, 'tool_calls'));
          done(res);
        },
        fails(200, whole(message, 'stop')),
        fails(200, `\n ${JSON.stringify(whole(message))}`, { 'content-type': 'text/event-stream' }),
      ] satisfies Script[]) {
        const reply = await replyTo(script);
        assert.deepEqual(
          [reply.text, reply.reasoning, callsOf(reply), reply.usage?.promptTokens],
          ['Four.', 'hm', [['f', '{"x":1}']], 12],
        );
      }
    });

    it('adds nothing to what its deltas brought already, beside each of them or at the end', async () => {
      const beside = await replyTo((res) => {
        sse(res);
        for (const [piece, all] of [
          ['Fo', 'Fo'],
          ['ur.', 'Four.'],
        ])
          event(res, { choices: [{ delta: { content: piece }, message: { content: all } }] });
        event(res, whole({ content: ' Four. ' }));
        done(res);
      });
      assert.equal(beside.text, 'Four.');
      const calls = await replyTo((res) => {
        sse(res);
        delta(res, part(0, 'a', 'f', '{"x":1}'));
        event(
          res,
          whole({ tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{"x":1}' } }] }),
        );
        done(res);
      });
      assert.deepEqual(callsOf(calls), [['f', '{"x":1}']]);
    });

    it('that grows from event to event is emitted as it grows', async () => {
      provider.script = (res) => {
        sse(res);
        for (const all of ['One', 'One two', 'One two three'])
          event(res, whole({ content: all, tool_calls: [] }, null));
        event(res, whole({ content: 'One two three' }));
        done(res);
      };
      const { reply, deltas } = await provider.call();
      assert.deepEqual(
        [reply.text, deltas.map((each) => each.text)],
        ['One two three', ['One', ' two', ' three']],
      );
    });

    it('of the old kind has its one call in function_call, whole or in pieces', async () => {
      const pieces = await replyTo(
        answer(
          [
            { function_call: { name: 'f', arguments: '{"x"' } },
            { function_call: { arguments: ':1}' } },
          ],
          'function_call',
        ),
      );
      assert.deepEqual(callsOf(pieces), [['f', '{"x":1}']]);
      const message = { content: null, function_call: { name: 'f', arguments: '{"x":1}' } };
      assert.deepEqual(callsOf(await replyTo(fails(200, whole(message)))), [['f', '{"x":1}']]);
    });
  });

  describe('events', () => {
    it('are read without an empty line between them, and with the end of the stream for the last one', async () => {
      const chunk = (piece: object, finish: string | null = null) =>
        JSON.stringify({ choices: [{ index: 0, delta: piece, finish_reason: finish }] });
      const reply = await replyTo((res) => {
        sse(res);
        res.end(
          `data: ${chunk({ content: 'a' })}\ndata: ${chunk({ content: 'b' })}\ndata: ${chunk({}, 'stop')}`,
        );
      });
      assert.equal(reply.text, 'ab');
    });

    it('that the stream ends in are a break-off, not an unreadable answer', async () => {
      provider.script = (res) => {
        sse(res);
        delta(res, { content: 'half an' });
        res.end('data: {"choices":[{"delta":{"cont');
      };
      await expectFault(provider, 'INCOMPLETE', true);
    });
  });

  describe('what goes back as it came', () => {
    it('is reasoning under each name that it came by', async () => {
      const { fields } = await replyTo(
        answer([
          { reasoning_content: 'so ' },
          { reasoning_content: 'it is', reasoning: 'so it is' },
          { content: 'x' },
        ]),
      );
      assert.deepEqual(fields, { reasoning_content: 'so it is', reasoning: 'so it is' });
    });

    it('is a list of thoughts whose entries came in pieces, a signature by itself', async () => {
      const { fields, reasoning } = await replyTo(
        answer([
          {
            reasoning_details: [
              { type: 'reasoning.text', text: 'Let', signature: null, index: 0, format: 'x' },
            ],
          },
          { reasoning_details: [{ type: 'reasoning.text', text: ' me.', index: 0 }] },
          { reasoning_details: [{ type: 'reasoning.text', signature: 'Et8B', index: 0 }] },
          { reasoning_details: [{ type: 'reasoning.encrypted', data: 'AA', id: 'c1', index: 0 }] },
          { reasoning_details: [{ type: 'reasoning.encrypted', data: 'BB', id: 'c2', index: 0 }] },
          { content: 'x' },
        ]),
      );
      assert.equal(reasoning, 'Let me.');
      assert.deepEqual(fields?.['reasoning_details'], [
        { type: 'reasoning.text', text: 'Let me.', signature: 'Et8B', index: 0, format: 'x' },
        { type: 'reasoning.encrypted', data: 'AA', id: 'c1', index: 0 },
        { type: 'reasoning.encrypted', data: 'BB', id: 'c2', index: 0 },
      ]);
    });

    it('is a content of thoughts and text where the thoughts came in the content', async () => {
      const thinking = (text: string) => ({
        content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }],
      });
      const reply = await replyTo(
        answer([
          thinking('First '),
          thinking('this.'),
          { content: [{ type: 'text', text: 'Four.' }] },
        ]),
      );
      assert.deepEqual([reply.reasoning, reply.text], ['First this.', 'Four.']);
      assert.deepEqual(reply.fields, {
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'First this.' }] },
          { type: 'text', text: 'Four.' },
        ],
      });
    });

    it('is what is beside id, type and function of a call, and in the function', async () => {
      const reply = await replyTo(
        answer(
          [
            {
              tool_calls: [
                {
                  index: 0,
                  id: 'a',
                  type: 'function',
                  extra_content: { google: { thought_signature: 'c2ln' } },
                  function: { name: 'f', arguments: '', thought_signature: 'x' },
                },
              ],
            },
            part(0, undefined, undefined, '{}'),
          ],
          'tool_calls',
        ),
      );
      assert.deepEqual(reply.toolCalls, [
        {
          id: 'a',
          name: 'f',
          argumentsText: '{}',
          fields: { extra_content: { google: { thought_signature: 'c2ln' } } },
          functionFields: { thought_signature: 'x' },
        },
      ]);
    });
  });
});
