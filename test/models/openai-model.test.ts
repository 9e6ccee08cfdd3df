import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
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
  type ScriptedProvider,
} from './scripted-provider.ts';

/** Made up of our own, `a`: nine letters and digits. */
const ID = 'z22SY89xz';
const USAGE = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 };

describe('models: openai-model', () => {
  let provider: ScriptedProvider;
  before(async () => {
    provider = await startScriptedProvider();
  });
  after(() => provider.close());

  describe('answers', () => {
    it('hands each delta on before the next one is sent, and returns text, usage and the requested name', async () => {
      let step: () => void = () => undefined;
      provider.script = async (res) => {
        sse(res);
        for (const word of ['one ', 'two ', 'three']) {
          const handed = new Promise<void>((next) => (step = next));
          delta(res, { content: word });
          await handed;
        }
        delta(res, {}, 'stop');
        event(res, { choices: [], usage: USAGE });
        done(res);
      };
      const { reply, deltas } = await provider.call({ onDelta: () => step() });
      assert.deepEqual(
        deltas.map((d) => d.text),
        ['one ', 'two ', 'three'],
      );
      assert.deepEqual(reply, {
        text: 'one two three',
        reasoning: '',
        toolCalls: [],
        finishReason: 'stop',
        model: 'gpt-4o',
        usage: { promptTokens: 12, completionTokens: 7 },
      });
    });

    it('sends the request as every compatible server knows it', async () => {
      provider.script = answer([{ content: 'ok' }]);
      await provider.call({
        request: {
          messages: [
            { role: 'system', text: 'Be brief.' },
            {
              role: 'user',
              text: 'Look',
              media: [
                { kind: 'image', url: 'data:image/png;base64,AA' },
                { kind: 'audio', data: 'BB', format: 'wav' },
              ],
            },
            {
              role: 'assistant',
              text: '',
              toolCalls: [{ id: 'a', name: 'f', argumentsText: '{}' }],
            },
            { role: 'tool', toolCallId: 'a', text: 'done' },
          ],
          tools: [{ name: 'f', description: 'd', input: { $schema: 'x', type: 'object' } }],
          temperature: 0,
          maxTokens: 5,
        },
      });
      const { url, body, authorization } = provider.seen.at(-1)!;
      assert.equal(url, '/v1/chat/completions');
      assert.equal(authorization, 'Bearer sk-secret');
      assert.deepEqual(body, {
        model: 'gpt-4o',
        messages: [
          { role: 'system', content: 'Be brief.' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Look' },
              { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } },
              { type: 'input_audio', input_audio: { data: 'BB', format: 'wav' } },
            ],
          },
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: ID, type: 'function', function: { name: 'f', arguments: '{}' } }],
          },
          { role: 'tool', tool_call_id: ID, content: 'done' },
        ],
        stream: true,
        stream_options: { include_usage: true },
        tools: [
          {
            type: 'function',
            function: {
              name: 'f',
              description: 'd',
              parameters: { type: 'object', properties: {} },
            },
          },
        ],
        temperature: 0,
        max_tokens: 5,
      });
    });

    it('sends no Authorization where there is no key, and no empty list of tools', async () => {
      provider.script = answer([{ content: 'ok' }]);
      await provider.call({ apiKey: '' });
      assert.equal(provider.seen.at(-1)!.authorization, undefined);
      assert.ok(!('tools' in provider.seen.at(-1)!.body));
    });

    it('reports no usage where the provider gives none, and takes it from the chunk of the finish reason too', async () => {
      provider.script = answer([{ content: 'a' }]);
      assert.equal((await provider.call()).reply.usage, null);
      provider.script = (res) => {
        sse(res);
        event(res, {
          choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }],
          usage: USAGE,
        });
        done(res);
      };
      assert.deepEqual((await provider.call()).reply.usage, {
        promptTokens: 12,
        completionTokens: 7,
      });
    });

    it('collects reasoning under both of its names, once where a server sends both', async () => {
      provider.script = answer([
        { reasoning_content: 'hm ' },
        { reasoning: 'well ' },
        { reasoning_content: 'so', reasoning: 'so' },
        { content: 'x' },
      ]);
      const { reply, deltas } = await provider.call();
      assert.equal(reply.reasoning, 'hm well so');
      assert.deepEqual(
        deltas.map((d) => d.kind),
        ['REASONING', 'REASONING', 'REASONING', 'CONTENT'],
      );
    });

    it('takes nothing, or nothing but space, for no answer, and one cut by length for what it is', async () => {
      for (const pieces of [[], [{ content: ' \n' }], [{ reasoning: 'hm' }]]) {
        provider.script = answer(pieces);
        await expectFault(provider, 'INCOMPLETE', true);
      }
      provider.script = answer([{ content: 'half' }], 'length');
      assert.equal((await provider.call()).reply.finishReason, 'length');
    });

    it('keeps a filtered answer that has text and refuses one that has none', async () => {
      provider.script = answer([{ content: 'part' }], 'content_filter');
      assert.equal((await provider.call()).reply.finishReason, 'content_filter');
      provider.script = answer([], 'content_filter');
      await expectFault(provider, 'REJECTED', false);
    });

    it('does not wait for a connection that stays open after a complete answer with its usage missing', async () => {
      provider.script = (res) => {
        sse(res);
        delta(res, { content: 'all' }, 'stop');
      };
      const { reply } = await provider.call({ timeouts: { trailerMs: 60 } });
      assert.deepEqual([reply.text, reply.usage], ['all', null]);
    });
  });

  describe('tool calls', () => {
    const calls = async (pieces: readonly object[], finish = 'tool_calls') => {
      provider.script = answer(pieces, finish);
      const { reply } = await provider.call();
      assert.equal(reply.finishReason, 'tool_calls');
      return reply.toolCalls.map((call) => [call.name, call.argumentsText]);
    };

    it('are put together by index, interleaved fragments included', async () => {
      const got = await calls([
        part(0, 'a', 'f', ''),
        part(1, 'b', 'g', '{"y"'),
        part(0, undefined, undefined, '{"x":1}'),
        part(1, undefined, undefined, ':2}'),
      ]);
      assert.deepEqual(got, [
        ['f', '{"x":1}'],
        ['g', '{"y":2}'],
      ]);
    });

    it('stay apart when their ids repeat, and have none where none came', async () => {
      assert.deepEqual(
        await calls([part(0, 'same', 'f', '{"a":1}'), part(1, 'same', 'f', '{"a":2}')]),
        [
          ['f', '{"a":1}'],
          ['f', '{"a":2}'],
        ],
      );
      provider.script = answer([part(0, undefined, 'f', '{}')], 'tool_calls');
      assert.equal((await provider.call()).reply.toolCalls[0]?.id, '');
    });

    it('are distinguished without an index, whole or in fragments', async () => {
      const want = [
        ['f', '{"a":1}'],
        ['f', '{"a":2}'],
      ];
      assert.deepEqual(
        await calls([part(undefined, 'a', 'f', '{"a":1}'), part(undefined, 'b', 'f', '{"a":2}')]),
        want,
      );
      assert.deepEqual(
        await calls([
          part(undefined, undefined, 'f', '{"a":1}'),
          part(undefined, undefined, 'f', '{"a":2}'),
        ]),
        want,
      );
      assert.deepEqual(
        await calls([
          part(undefined, 'a', 'f', ''),
          part(undefined, undefined, undefined, '{"a":1}'),
          part(undefined, 'b', 'f', '{"a"'),
          part(undefined, 'b', undefined, ':2}'),
        ]),
        want,
      );
    });

    it('are distinguished when every one has index 0, with ids of their own or one for all', async () => {
      const want = [
        ['f', '{"a":1}'],
        ['g', '{"a":2}'],
      ];
      assert.deepEqual(
        await calls([part(0, 'a', 'f', '{"a":1}'), part(0, 'b', 'g', '{"a":2}')]),
        want,
      );
      assert.deepEqual(
        await calls([part(0, 'a', 'f', '{"a":1}'), part(0, 'a', 'g', '{"a":2}')]),
        want,
      );
    });

    it('stay one call when a server repeats name and id on every fragment', async () => {
      assert.deepEqual(
        await calls([part(0, 'a', 'f', '{"a"'), part(0, 'a', 'f', ':1'), part(0, 'a', 'f', '}')]),
        [['f', '{"a":1}']],
      );
    });

    it('count as such when the server finishes with stop', async () => {
      assert.deepEqual(await calls([part(0, 'a', 'f', '{}')], 'stop'), [['f', '{}']]);
    });

    it('cut by length are INCOMPLETE, with the usage', async () => {
      provider.script = answer([part(0, 'a', 'f', '{"a')], 'length', USAGE);
      assert.deepEqual((await expectFault(provider, 'INCOMPLETE', false)).usage, {
        promptTokens: 12,
        completionTokens: 7,
      });
    });
  });

  describe('an abort', () => {
    it('closes the socket within 100 ms, before the first byte and in the middle, and is not a completion', async () => {
      for (const begins of [false, true]) {
        provider.script = (res) => {
          if (!begins) return;
          sse(res);
          delta(res, { content: 'begun' });
        };
        const controller = new AbortController();
        const seenBefore = provider.seen.length;
        const failing = expectFault(provider, 'ABORTED', false, { signal: controller.signal });
        while (provider.seen.length === seenBefore) await sleep(5);
        await sleep(30);
        const at = Date.now();
        controller.abort();
        await provider.seen.at(-1)!.closed;
        assert.ok(Date.now() - at < 100, `${Date.now() - at} ms`);
        await failing;
      }
    });

    it('before the call sends nothing', async () => {
      const count = provider.seen.length;
      await expectFault(provider, 'ABORTED', false, { signal: AbortSignal.abort() });
      assert.equal(provider.seen.length, count);
    });

    it('leaves no listener on the signal, however the call ends', async () => {
      const { signal } = new AbortController();
      provider.script = answer([{ content: 'ok' }]);
      await provider.call({ signal });
      provider.script = fails(500, {});
      await expectFault(provider, 'UNAVAILABLE', true, { signal });
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    });
  });

  it('throws what onDelta threw as it is', async () => {
    provider.script = answer([{ content: 'a' }]);
    const ours = new Error('a defect of ours');
    await assert.rejects(
      provider.call({
        onDelta: () => {
          throw ours;
        },
      }),
      (error) => error === ours,
    );
  });
});
