import assert from 'node:assert/strict';
import OpenAI from 'openai';
import type { PostgresRig } from './postgres.ts';
import { postgresOrSkip } from './postgres.ts';
import { startScriptedModel } from './scripted-model.ts';
import { startToolSink } from './tool-sink.ts';
import { until } from './wait.ts';

describe('the rigs', () => {
  it('have a model that streams text, tool calls and usage, and shows faults', async () => {
    const model = await startScriptedModel((_, n) => {
      if (n === 1)
        return { toolCalls: [{ name: 'price', args: { ticker: 'NVDA' } }], reasoning: 'hm' };
      if (n === 2)
        return {
          chunks: [{ text: 'a' }, { text: 'b', delayMs: 5 }],
          usage: { prompt: 7, completion: 2 },
        };
      return n === 3
        ? { status: 429, headers: { 'retry-after': '1' } }
        : { text: 'half', hang: 'mid' };
    });
    const client = new OpenAI({ baseURL: model.url, apiKey: 'k', maxRetries: 0 });
    const ask = (signal?: AbortSignal) =>
      client.chat.completions.stream(
        {
          model: 'm',
          messages: [{ role: 'user', content: 'x' }],
          stream_options: { include_usage: true },
        },
        signal === undefined ? {} : { signal },
      );
    try {
      const first = await ask().finalChatCompletion();
      const [call] = first.choices[0]?.message.tool_calls ?? [];
      assert.ok(call?.type === 'function');
      assert.deepEqual(
        [call.function.name, JSON.parse(call.function.arguments)],
        ['price', { ticker: 'NVDA' }],
      );
      const second = await ask().finalChatCompletion();
      assert.deepEqual([second.choices[0]?.message.content, second.usage?.total_tokens], ['ab', 9]);
      await assert.rejects(ask().finalChatCompletion(), OpenAI.RateLimitError);
      const aborter = new AbortController();
      const hanging = ask(aborter.signal);
      hanging.on('content', () => aborter.abort());
      await assert.rejects(hanging.finalChatCompletion());
      await until('the abort', () => model.aborts() === 1);
      assert.equal(model.requests.length, 4);
    } finally {
      await model.close();
    }
  });

  it('have a sink that records before it misbehaves', async () => {
    const sink = await startToolSink();
    const post = (mode: string) =>
      fetch(`${sink.url}/email`, {
        method: 'POST',
        body: JSON.stringify({ mode }),
        headers: { 'Idempotency-Key': 'run_1:call_1' },
      });
    try {
      assert.equal(await (await post('ok')).text(), 'done 1');
      assert.equal((await post('fail:503')).status, 503);
      await assert.rejects(post('drop'));
      assert.deepEqual(
        [sink.deliveries.length, (await sink.delivery(3)).idempotencyKey],
        [3, 'run_1:call_1'],
      );
    } finally {
      await sink.close();
    }
  });

  describe('with PostgreSQL', () => {
    let postgres: PostgresRig | undefined;
    before(async function () {
      postgres = await postgresOrSkip(this);
    });
    after(() => postgres?.stop());

    it('have a database that is killed and comes back with what was committed', async () => {
      assert.ok(postgres);
      const url = await postgres.createDatabase();
      await postgres.sql('create table t (x int); insert into t values (7)', url);
      if (!postgres.ours) return;
      await postgres.kill9();
      await assert.rejects(postgres.sql('select 1', url));
      await postgres.start();
      assert.deepEqual(await postgres.sql('select x from t', url), [{ x: 7 }]);
    });
  });
});
