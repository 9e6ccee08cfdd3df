// Refusals in the words and shapes of providers, gateways and local servers, each as it was seen.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import type { ModelFault } from '../../src/models/model.ts';
import {
  answer,
  delta,
  event,
  expectFault,
  fails,
  sse,
  startScriptedProvider,
  type Script,
  type ScriptedProvider,
} from './scripted-provider.ts';

const said = (message: string, more: object = {}): object => ({
  error: { message, type: 'invalid_request_error', param: null, code: null, ...more },
});

const TOO_LONG: readonly (readonly [status: number, body: unknown])[] = [
  [400, said('x', { code: 'context_length_exceeded' })],
  [
    400,
    said(
      'However, your messages resulted in 130011 tokens. Please reduce the length of the messages.',
    ),
  ],
  [
    400,
    [
      {
        error: {
          code: 400,
          message: 'The input token count (9) exceeds the maximum number of tokens allowed (8).',
          status: 'INVALID_ARGUMENT',
        },
      },
    ],
  ],
  [
    400,
    {
      object: 'error',
      message:
        'Prompt contains 9 tokens and 0 draft tokens, too large for model with 8 maximum context length',
      type: 'invalid_request_prompt',
      code: '3051',
    },
  ],
  [
    400,
    {
      code: 'Client specified an invalid argument',
      error: "This model's maximum prompt length is 8 but the request contains 9 tokens.",
    },
  ],
  [400, said('prompt is too long: 228307 tokens > 200000 maximum')],
  [400, said('input length and max_tokens exceed context limit: 170636 + 34048 > 200000')],
  [400, said('Input is too long for requested model.')],
  [400, said('Invalid request: Your request exceeded model token limit: 131072')],
  [400, said('invalid params, context window exceeds limit (2013)', { code: '2013' })],
  [400, said('litellm.ContextWindowExceededError: …', { code: '400' })],
  [400, said("Input length (265330) exceeds model's maximum context length (262144).")],
  [400, said('Input length 9 exceeds the maximum allowed input length of 8 tokens.')],
  [
    400,
    {
      object: 'error',
      message: "The input (9 tokens) is longer than the model's context length (8 tokens).",
      type: 'BadRequestError',
      code: 400,
    },
  ],
  [400, { error: 'request (9 tokens) exceeds the available context size (8 tokens)' }],
  [400, said('Prompt too long: 5152 tokens exceeds max_seq_len 2048')],
  [400, said('Range of input length should be [1, 30720]')],
  [
    422,
    { error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8', type: 'x' },
  ],
  [
    500,
    said('The prompt is longer than the context length of the model', { type: 'server_error' }),
  ],
  [413, {}],
  [413, '<html>413 Request Entity Too Large</html>'],
];
const NOT_TOO_LONG: readonly (readonly [status: number, body: unknown, ModelFault])[] = [
  [
    400,
    said('max_tokens is too large: 999999. This model supports at most 16384 completion tokens.', {
      param: 'max_tokens',
      code: 'invalid_value',
    }),
    'REJECTED',
  ],
  [
    400,
    said(
      "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context length is 8.",
    ),
    'REJECTED',
  ],
  [429, said('Too many tokens, please wait before trying again.'), 'RATE_LIMITED'],
  [
    413,
    said('Request too large on tokens per minute (TPM): Limit 6000, Requested 9000', {
      type: 'tokens',
      code: 'rate_limit_exceeded',
    }),
    'RATE_LIMITED',
  ],
  [400, said('the context length of your essay', { code: 'invalid_value' }), 'REJECTED'],
];
const QUOTA: readonly (readonly [status: number, body: unknown])[] = [
  [429, said('x', { type: 'insufficient_quota', code: 'insufficient_quota' })],
  [402, said('Insufficient Balance', { code: 'invalid_request_error' })],
  [402, { error: { message: 'This request requires more credits', code: 402 } }],
  [429, said('x', { type: 'exceeded_current_quota_error' })],
  [400, said('Your credit balance is too low to access the API.')],
  [403, { error: 'Your team has used all available credits', code: 'denied' }],
  [200, { base_resp: { status_code: 1008, status_msg: 'insufficient balance' } }],
];

describe('models: refusals', () => {
  let provider: ScriptedProvider;
  before(async () => {
    provider = await startScriptedProvider();
  });
  after(() => provider.close());

  it('say that the conversation is too long in the words of some twenty servers', async () => {
    for (const [status, body] of TOO_LONG) {
      provider.script = fails(status, body);
      await expectFault(provider, 'CONTEXT_TOO_LONG', false).catch((error: unknown) => {
        throw new Error(JSON.stringify(body), { cause: error });
      });
    }
  });

  it('that only sound so are what they are: a parameter, a rate', async () => {
    for (const [status, body, fault] of NOT_TOO_LONG) {
      provider.script = fails(status, body);
      await expectFault(provider, fault, fault === 'RATE_LIMITED');
    }
  });

  it('for a used-up quota are distinguished from a rate, which Gemini words the same', async () => {
    for (const [status, body] of QUOTA) {
      provider.script = fails(status, body);
      await expectFault(provider, 'QUOTA_EXHAUSTED', false);
    }
    const info = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '37s' };
    provider.script = fails(429, [
      {
        error: {
          code: 429,
          message: 'You exceeded your current quota.',
          status: 'RESOURCE_EXHAUSTED',
          details: [info],
        },
      },
    ]);
    assert.equal((await expectFault(provider, 'RATE_LIMITED', true)).retryAfterMs, 37_000);
  });

  it('that come with 200, in the first event or as the body, in any shape, are those refusals', async () => {
    const first =
      (data: unknown): Script =>
      (res) => {
        sse(res);
        event(res, data);
        res.end();
      };
    const cases: readonly (readonly [Script, ModelFault])[] = [
      [first({ error: { message: 'x', type: 'invalid_request', code: 400 } }), 'REJECTED'],
      [first({ error: { message: 'x', type: 'authentication_error' } }), 'REJECTED'],
      [first({ error: { message: 'x', code: '404' } }), 'REJECTED'],
      [first([{ error: { code: 403, status: 'PERMISSION_DENIED', message: 'x' } }]), 'REJECTED'],
      [
        first({ type: 'error', error: { type: 'bad_request_error', http_code: '400' } }),
        'REJECTED',
      ],
      [first({ object: 'error', message: 'x', type: 'BadRequestError', code: 400 }), 'REJECTED'],
      [first({ error: { message: 'x', type: 'rate_limit_exceeded' } }), 'RATE_LIMITED'],
      [first({ error: { message: 'x', type: 'overloaded_error' } }), 'UNAVAILABLE'],
      [first({ error: 'something went wrong' }), 'UNAVAILABLE'],
      [(res) => (sse(res), void res.end('error: {"code":400,"message":"x"}\n\n')), 'REJECTED'],
      [(res) => (sse(res), void res.end('{"error":{"code":400,"message":"x"}}')), 'REJECTED'],
      [fails(200, { error: { code: 401, message: 'x' } }), 'REJECTED'],
      [
        fails(200, { base_resp: { status_code: 1004, status_msg: 'x' }, choices: null }),
        'REJECTED',
      ],
      [fails(200, { success: false, errors: [{ code: 400, message: 'x' }] }), 'REJECTED'],
    ];
    for (const [script, fault] of cases) {
      provider.script = script;
      await expectFault(provider, fault, fault === 'RATE_LIMITED' || fault === 'UNAVAILABLE');
    }
  });

  it('in the middle of an answer are a break-off, whatever their code', async () => {
    provider.script = (res) => {
      sse(res);
      delta(res, { content: 'half' });
      event(res, { error: { message: 'x', code: 400 } });
      res.end();
    };
    await expectFault(provider, 'UNAVAILABLE', true);
  });

  it('name the parameter that the provider names', async () => {
    provider.script = fails(400, said('x', { param: 'tools[0].function.strict', code: 'bad_one' }));
    assert.equal(
      (await expectFault(provider, 'REJECTED', false)).message,
      "The model's provider refused the request with 400 (bad_one, invalid_request_error): see the parameter tools[0].function.strict.",
    );
    provider.script = fails(400, said('x', { param: 'see http://127.0.0.1/ for sk-secret' }));
    await expectFault(provider, 'REJECTED', false);
  });

  it("of a call that the model's own server could not read are asked again", async () => {
    provider.script = fails(400, said('Failed to call a function.', { code: 'tool_use_failed' }));
    await expectFault(provider, 'INCOMPLETE', true);
  });

  describe('that one more try mends', () => {
    /** Each refuses what it names, as its server words it. */
    const REFUSALS: readonly (readonly [
      string,
      (body: Record<string, unknown>) => boolean,
      object,
    ])[] = [
      [
        'max_tokens',
        (body) => 'max_tokens' in body,
        said(
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
          {
            param: 'max_tokens',
            code: 'unsupported_parameter',
          },
        ),
      ],
      [
        'temperature',
        (body) => 'temperature' in body,
        said('invalid temperature: only 1 is allowed for this model'),
      ],
      [
        'stream_options',
        (body) => 'stream_options' in body,
        {
          object: 'error',
          message: {
            detail: [{ type: 'extra_forbidden', loc: ['body', 'stream_options', 'include_usage'] }],
          },
          type: 'invalid_request_error',
        },
      ],
    ];
    const strict = (): Script => (res, req) => {
      const body = provider.seen.at(-1)?.body ?? {};
      const no = REFUSALS.find(([, refuses]) => refuses(body));
      if (no === undefined) return answer([{ content: 'ok' }])(res, req);
      return fails(no[0] === 'stream_options' ? 422 : 400, no[2])(res, req);
    };

    it('are tried once more each, remembered for the model alone, and logged', async () => {
      provider.script = strict();
      const model = createOpenAiModel({ baseUrl: provider.url, apiKey: 'k' });
      const notices: string[] = [];
      const call = (name: string) =>
        model.stream(
          { model: name, messages: [], tools: [], maxTokens: 5, temperature: 0.2 },
          {
            signal: new AbortController().signal,
            onDelta: () => undefined,
            onNotice: (notice) => notices.push(notice),
          },
        );
      const from = provider.seen.length;
      await call('new');
      assert.equal(provider.seen.length - from, 4);
      assert.deepEqual(provider.seen.at(-1)?.body, {
        model: 'new',
        messages: [],
        stream: true,
        max_completion_tokens: 5,
      });
      await call('new');
      assert.equal(provider.seen.length - from, 5);
      assert.match(
        notices.join('\n'),
        /max_completion_tokens.*\n.*temperature.*\n.*stream_options/,
      );
      await call('other');
      assert.equal(provider.seen.length - from, 9);
    });

    it('are no others: a value out of its range is refused once', async () => {
      for (const body of [
        said('temperature must be between 0 and 1', { param: 'temperature' }),
        said("Invalid 'temperature': decimal above maximum value. Expected a value <= 2.", {
          param: 'temperature',
          code: 'decimal_above_max_value',
        }),
        said('max_tokens is too large: 9. At most 8.', { param: 'max_tokens' }),
        said('Unsupported parameter: tools', { param: 'tools' }),
      ]) {
        provider.script = fails(400, body);
        const from = provider.seen.length;
        await expectFault(provider, 'REJECTED', false, {
          request: { temperature: 2, maxTokens: 9 },
        });
        assert.equal(provider.seen.length - from, 1);
      }
    });
  });
});

describe('models: the address', () => {
  it('keeps its query behind the path of each request', async () => {
    const provider = await startScriptedProvider();
    provider.script = answer([{ content: 'ok' }]);
    const model = createOpenAiModel({
      baseUrl: `${provider.url.replace('/v1', '')}/openai/deployments/d1/?api-version=2024-10-21`,
      apiKey: 'sk-secret',
    });
    await model.stream(
      { model: 'm', messages: [], tools: [] },
      { signal: new AbortController().signal, onDelta: () => undefined },
    );
    assert.equal(
      provider.seen[0]?.url,
      '/openai/deployments/d1/chat/completions?api-version=2024-10-21',
    );
    await provider.close();
  });

  it('behind https is reached through the proxy, but for the hosts that are named', async () => {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((ready) => proxy.listen(0, '127.0.0.1', ready));
    const { port } = proxy.address() as AddressInfo;
    const callTo = (baseUrl: string): Promise<unknown> =>
      createOpenAiModel({
        baseUrl,
        apiKey: 'k',
        proxy: { https: `http://ada:pw@127.0.0.1:${port}`, none: '127.0.0.1' },
      })
        .stream(
          { model: 'm', messages: [], tools: [] },
          { signal: new AbortController().signal, onDelta: () => undefined },
        )
        .catch((error: unknown) => error);
    assert.match(
      String(await callTo('https://model.example/v1')),
      /connection to the model failed/,
    );
    assert.deepEqual(asked, [
      `model.example:443 Basic ${Buffer.from('ada:pw').toString('base64')}`,
    ]);
    await callTo('https://127.0.0.1:9/v1');
    await callTo('http://127.0.0.1:9/v1');
    assert.equal(asked.length, 1);
    proxy.close();
  });
});
