import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import { ModelError } from '../../src/models/model.ts';
import { refusedFault } from '../../src/models/openai/errors.ts';
import { refusalOf } from '../../src/models/openai/refusal.ts';
import {
  answer,
  callPart as part,
  delta,
  event,
  expectFault,
  fails,
  sse,
  startScriptedProvider,
  type ScriptedProvider,
} from './scripted-provider.ts';

const USAGE = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 };

describe('models: faults of a provider', () => {
  let provider: ScriptedProvider;
  before(async () => {
    provider = await startScriptedProvider();
  });
  after(() => provider.close());

  describe('broken streams are never an answer', () => {
    it('cut in mid-text or in mid-arguments, by FIN or by reset', async () => {
      for (const piece of [{ content: 'half an ans' }, part(0, 'a', 'f', '{"a')])
        for (const cut of ['end', 'destroy'] as const) {
          provider.script = async (res) => {
            sse(res);
            delta(res, piece);
            await sleep(10);
            if (cut === 'end') res.end();
            else res.destroy();
          };
          await expectFault(provider, 'INCOMPLETE', true);
        }
    });

    it('without a finish reason, though [DONE] came', async () => {
      provider.script = answer([{ content: 'whole?' }], null, USAGE);
      assert.deepEqual((await expectFault(provider, 'INCOMPLETE', true)).usage, {
        promptTokens: 12,
        completionTokens: 7,
      });
    });

    it('with an error event, an unreadable chunk, or a chunk that is no object', async () => {
      for (const [data, fault] of [
        [{ error: { message: 'overloaded at 127.0.0.1', type: 'server_error' } }, 'UNAVAILABLE'],
        ['{"choices": [', 'UNAVAILABLE'],
        ['null', 'INCOMPLETE'],
        ['7', 'UNAVAILABLE'],
      ] as const) {
        provider.script = (res) => {
          sse(res);
          delta(res, { content: 'so far' });
          event(res, data);
          res.end();
        };
        await expectFault(provider, fault, true);
      }
    });

    it('silent before the first byte, and the request is really closed', async () => {
      provider.script = () => undefined;
      const started = Date.now();
      await expectFault(provider, 'UNAVAILABLE', true, { timeouts: { firstByteMs: 80 } });
      assert.ok(Date.now() - started < 1000);
      await provider.seen.at(-1)!.closed;
    });

    it('silent in the middle, and one that drips is left when its caller leaves', async () => {
      provider.script = (res) => {
        sse(res);
        delta(res, { content: 'then nothing' });
      };
      await expectFault(provider, 'UNAVAILABLE', true, { timeouts: { silenceMs: 80 } });
      await provider.seen.at(-1)!.closed;
      provider.script = (res) => {
        sse(res);
        const drip = setInterval(() => delta(res, { content: '.' }), 20);
        res.once('close', () => clearInterval(drip));
      };
      await expectFault(provider, 'ABORTED', false, { signal: AbortSignal.timeout(150) });
      await provider.seen.at(-1)!.closed;
    });

    it('unlike a slow one that keeps itself alive with comments', async () => {
      provider.script = async (res) => {
        sse(res);
        for (let i = 0; i < 10; i++) {
          res.write(': still thinking\n\n');
          await sleep(40);
        }
        delta(res, { content: 'late' }, 'stop');
        res.end();
      };
      assert.equal(
        (await provider.call({ timeouts: { firstByteMs: 200, silenceMs: 200 } })).reply.text,
        'late',
      );
    });

    it('with a line that never ends', async () => {
      provider.script = (res) => {
        sse(res);
        res.write(`data: ${'z'.repeat(3_000_000)}`);
      };
      await expectFault(provider, 'OUTPUT_TOO_LARGE', false);
      await provider.seen.at(-1)!.closed;
    });

    it('over 1 MiB, in pieces or in one, is OUTPUT_TOO_LARGE and closes the connection', async () => {
      for (const pieces of [
        Array.from({ length: 200 }, () => ({ content: 'z'.repeat(16_384) })),
        [{ content: 'z'.repeat(3_000_000) }],
        [{ content: 'z'.repeat(9_000_000) }],
      ]) {
        provider.script = answer(pieces);
        await expectFault(provider, 'OUTPUT_TOO_LARGE', false);
        await provider.seen.at(-1)!.closed;
      }
      provider.script = answer([part(0, 'a', 'f', 'z'.repeat(3_000_000))], 'tool_calls');
      await expectFault(provider, 'OUTPUT_TOO_LARGE', false);
    });
  });

  describe('refusals', () => {
    it('429 is RATE_LIMITED with the wait asked for, in seconds, milliseconds or as a date, a minute at most', async () => {
      const waitFor = async (headers: Record<string, string>) => {
        provider.script = fails(
          429,
          { error: { message: 'slow down', code: 'rate_limit_exceeded' } },
          headers,
        );
        return (await expectFault(provider, 'RATE_LIMITED', true)).retryAfterMs;
      };
      assert.equal(await waitFor({}), undefined);
      assert.equal(await waitFor({ 'retry-after': '2' }), 2000);
      assert.equal(await waitFor({ 'retry-after': '3600' }), 60_000);
      assert.equal(await waitFor({ 'retry-after-ms': '250', 'retry-after': '9' }), 250);
      const dated = await waitFor({ 'retry-after': new Date(Date.now() + 20_000).toUTCString() });
      assert.ok(dated !== undefined && dated > 15_000 && dated <= 20_000, String(dated));
      assert.equal(await waitFor({ 'retry-after': 'soon' }), undefined);
    });

    it('an exhausted quota is distinguished from a rate, and not tried again', async () => {
      provider.script = fails(429, {
        error: { message: 'pay', type: 'insufficient_quota', code: 'insufficient_quota' },
      });
      await expectFault(provider, 'QUOTA_EXHAUSTED', false);
    });

    it('408, 409, 5xx and HTML in place of an answer are UNAVAILABLE', async () => {
      for (const status of [408, 409, 500, 503]) {
        provider.script = fails(status, '<html>nginx</html>', { 'content-type': 'text/html' });
        await expectFault(provider, 'UNAVAILABLE', true);
      }
      for (const body of [
        '<!doctype html><html><body>Sign in</body></html>',
        '',
        '"words"',
        '{"choices":[]}',
      ]) {
        provider.script = fails(200, body, { 'content-type': 'text/html' });
        await expectFault(provider, 'UNAVAILABLE', true);
      }
    });

    it('a context that is too long is recognised by its code, its type, or by words where there is no code', async () => {
      const bodies = [
        {
          error: {
            message: 'x',
            type: 'invalid_request_error',
            param: 'messages',
            code: 'context_length_exceeded',
          },
        },
        {
          error: { code: 400, message: 'x', type: 'exceed_context_size_error', n_prompt_tokens: 9 },
        },
        {
          error: {
            code: 400,
            message: "This model's maximum context length is 8192 tokens.",
            type: 'BadRequestError',
            param: null,
          },
        },
      ];
      for (const body of bodies) {
        provider.script = fails(400, body);
        await expectFault(provider, 'CONTEXT_TOO_LONG', false);
      }
      provider.script = fails(400, {
        error: {
          message: 'the context length of your essay',
          type: 'invalid_request_error',
          code: 'invalid_value',
        },
      });
      await expectFault(provider, 'REJECTED', false);
    });

    it('other 4xx are REJECTED, and the words of the provider are not repeated', async () => {
      for (const status of [400, 401, 403, 404, 422]) {
        provider.script = fails(status, {
          error: {
            message: 'Incorrect API key provided: sk-secret at 127.0.0.1',
            code: 'invalid_api_key',
          },
        });
        const error = await expectFault(provider, 'REJECTED', false);
        assert.match(error.message, new RegExp(`${status} \\(invalid_api_key\\)`));
        assert.equal(error.cause, undefined);
      }
    });

    it('a code or a type that holds the API key, or a part of it, is left out', () => {
      const key = 'sk-proj-0123456789';
      for (const name of [key, `bad-${key}`, key.slice(0, 12)]) {
        const error = refusedFault({
          refusal: refusalOf(401, { error: { code: name, type: 'invalid_api_key', param: name } }),
          usage: null,
          apiKey: key,
        });
        assert.equal(
          error.message,
          "The model's provider refused the request with 401 (invalid_api_key).",
        );
      }
    });

    it('a redirect is not followed', async () => {
      let reached = 0;
      const elsewhere = createServer((_, res) => (reached++, res.end()));
      await new Promise<void>((ready) => elsewhere.listen(0, '127.0.0.1', ready));
      provider.script = fails(307, '', {
        location: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/v1/chat/completions`,
      });
      await expectFault(provider, 'UNAVAILABLE', true);
      assert.equal(reached, 0);
      elsewhere.close();
    });

    it('nobody at the address is UNAVAILABLE, with the network code and no address', async () => {
      const model = createOpenAiModel({ baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k' });
      const call = model.stream(
        { model: 'm', messages: [], tools: [] },
        { signal: new AbortController().signal, onDelta: () => undefined },
      );
      await assert.rejects(
        call,
        (error) =>
          error instanceof ModelError &&
          error.fault === 'UNAVAILABLE' &&
          !error.message.includes('127.0.0.1'),
      );
    });
  });
});
