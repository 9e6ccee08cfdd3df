import assert from 'node:assert/strict';
import { startDemoModel, type DemoModel } from '../../src/dev/demo-model.ts';
import type { ModelMessage, ModelReply, ModelTool } from '../../src/models/model.ts';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';

const tool = (name: string, ...keys: string[]): ModelTool => ({
  name,
  description: name,
  input: {
    type: 'object',
    properties: Object.fromEntries(keys.map((key) => [key, { type: 'string' }])),
    required: keys,
  },
});
const FINANCE = [tool('get_stock_price', 'ticker'), tool('send_email', 'to', 'subject', 'body')];
const DATABASE = [tool('list_tables'), tool('count_rows', 'table'), tool('drop_table', 'table')];
const user = (text: string): ModelMessage => ({ role: 'user', text });
const DECLARED = /demonstration model/;

describe('models: the demonstration model', () => {
  let demo: DemoModel;
  before(async () => {
    demo = await startDemoModel({ wordGapMs: 0 });
  });
  after(() => demo.close());

  let deltas: string[] = [];
  const ask = async (
    messages: readonly ModelMessage[],
    tools: readonly ModelTool[],
  ): Promise<ModelReply> => {
    deltas = [];
    const model = createOpenAiModel({
      baseUrl: demo.url,
      apiKey: demo.apiKey,
      reportedName: 'demo',
    });
    return model.stream(
      { model: 'gpt-4o', messages, tools },
      {
        signal: new AbortController().signal,
        onDelta: ({ kind, text }) => kind === 'CONTENT' && deltas.push(text),
      },
    );
  };

  /** Plays a run: every call gets its result from `results`, until an answer comes. */
  async function play(
    question: string | readonly ModelMessage[],
    tools: readonly ModelTool[],
    results: Readonly<Record<string, string>> = {},
  ) {
    const messages: ModelMessage[] =
      typeof question === 'string'
        ? [{ role: 'system', text: 'Be kind.' }, user(question)]
        : [...question];
    const calls: [string, Record<string, unknown>][] = [];
    for (let turn = 0; turn < 6; turn++) {
      const reply = await ask(messages, tools);
      assert.equal(reply.model, 'demo');
      assert.ok(
        reply.usage !== null && reply.usage.promptTokens > 0 && reply.usage.completionTokens > 0,
      );
      if (reply.toolCalls.length === 0) {
        assert.equal(reply.finishReason, 'stop');
        assert.match(reply.text, DECLARED);
        return { calls, text: reply.text };
      }
      messages.push({
        role: 'assistant',
        text: reply.text,
        toolCalls: reply.toolCalls.map((call, at) => ({ ...call, id: `c${turn}-${at}` })),
      });
      for (const [at, call] of reply.toolCalls.entries()) {
        calls.push([call.name, JSON.parse(call.argumentsText) as Record<string, unknown>]);
        messages.push({
          role: 'tool',
          toolCallId: `c${turn}-${at}`,
          text: results[call.name] ?? 'done',
        });
      }
    }
    return assert.fail('it never answered');
  }
  const named = (calls: readonly [string, Record<string, unknown>][]): readonly string[] =>
    calls.map(([name]) => name);

  it('asks for a price once and quotes it, however the question is worded', async () => {
    const wordings = [
      'What is the stock price of NVDA?',
      'nvda price?',
      "what's nvidia trading at",
      'How much is a share of $NVDA worth',
      'NVDA',
      'WHAT IS THE PRICE OF NVDA',
    ];
    for (const wording of wordings) {
      const { calls, text } = await play(wording, FINANCE, {
        get_stock_price: 'NVDA: 181.50 USD 😀',
      });
      assert.deepEqual(calls, [['get_stock_price', { ticker: 'NVDA' }]], wording);
      assert.match(text, /NVDA: 181\.50 USD 😀/);
    }
  });

  it('asks for two prices in one turn', async () => {
    assert.deepEqual((await play('Compare the prices of AAPL and MSFT', FINANCE)).calls, [
      ['get_stock_price', { ticker: 'AAPL' }],
      ['get_stock_price', { ticker: 'MSFT' }],
    ]);
  });

  it('looks the price up, then sends it to the address given, then answers', async () => {
    const { calls, text } = await play(
      'Send an e-mail to ada@example.com with the price of NVDA',
      FINANCE,
      { get_stock_price: '181.50', send_email: 'Sent.' },
    );
    assert.deepEqual(named(calls), ['get_stock_price', 'send_email']);
    assert.equal(calls[1]?.[1]['to'], 'ada@example.com');
    assert.match(String(calls[1]?.[1]['body']), /181\.50/);
    assert.match(text, /Sent\./);
  });

  it('sends a report to somebody where no address is given', async () => {
    const { calls } = await play('Send the report by email', FINANCE);
    assert.deepEqual(named(calls), ['send_email']);
    assert.match(String(calls[0]?.[1]['to']), /^\S+@\S+$/);
  });

  it('sends the answer before when asked to send "that"', async () => {
    const history: ModelMessage[] = [
      user('price of NVDA?'),
      { role: 'assistant', text: 'The stock price I was given: 181.50' },
      user('Mail that to bob@example.com'),
    ];
    assert.match(String((await play(history, FINANCE)).calls[0]?.[1]['body']), /181\.50/);
  });

  it('drops, counts and lists tables, however it is asked', async () => {
    const stories: [string, string, object][] = [
      ['Drop the table old_orders', 'drop_table', { table: 'old_orders' }],
      ['delete old_orders please', 'drop_table', { table: 'old_orders' }],
      ['Please remove the customers table', 'drop_table', { table: 'customers' }],
      ['drop table "logs"', 'drop_table', { table: 'logs' }],
      ['how many rows are in orders?', 'count_rows', { table: 'orders' }],
      ['How many orders are there?', 'count_rows', { table: 'orders' }],
      ['How many rows has the table customers?', 'count_rows', { table: 'customers' }],
      ['Count the rows of old_orders', 'count_rows', { table: 'old_orders' }],
      ['which tables are there?', 'list_tables', {}],
      ['How many tables are there?', 'list_tables', {}],
      ['show me the database', 'list_tables', {}],
    ];
    for (const [question, name, args] of stories)
      assert.deepEqual((await play(question, DATABASE)).calls, [[name, args]], question);
  });

  it('says in its own words that a request was declined, with the reason, and asks for nothing more', async () => {
    const results = {
      drop_table: 'This call was not run: ada rejected it: we still need that table',
    };
    const { calls, text } = await play('Drop the table old_orders', DATABASE, results);
    assert.equal(calls.length, 1);
    assert.match(text, /the request was declined: we still need that table/);
    const expired = { send_email: 'This call was not run: nobody approved it in time (expired).' };
    assert.match(
      (await play('Send the report by email', FINANCE, expired)).text,
      /the request was declined: nobody approved it in time/,
    );
  });

  it('goes by the last message of a session only', async () => {
    const past: ModelMessage[] = [
      user('Drop the table old_orders'),
      { role: 'assistant', text: 'The table: dropped' },
    ];
    assert.deepEqual(
      named((await play([...past, user('Which tables are there?')], DATABASE)).calls),
      ['list_tables'],
    );
    assert.deepEqual((await play([...past, user('Thank you!')], DATABASE)).calls, []);
  });

  it('offers only tools that the request has, and answers anything else shortly, in words as they come', async () => {
    assert.deepEqual((await play('Drop the table old_orders', FINANCE)).calls, []);
    assert.deepEqual((await play('What is the price of NVDA?', [])).calls, []);
    const { text } = await play('Hello there 😀', FINANCE);
    assert.ok(text.length < 1000);
    assert.ok(deltas.length > 10 && deltas.every((piece) => piece.trim().split(/\s+/).length <= 1));
    assert.equal(deltas.join(''), text);
  });

  it('uses any other tool that is named, with arguments its schema takes', async () => {
    assert.deepEqual(
      (await play('Please make coffee for "Ada"', [tool('make_coffee', 'who')])).calls,
      [['make_coffee', { who: 'Ada' }]],
    );
  });

  it('gives three follow-up questions as a JSON array', async () => {
    const reply = await ask(
      [
        user('Which tables are there?'),
        { role: 'assistant', text: 'orders' },
        user('Suggest three follow-up questions, as a JSON array of strings.'),
      ],
      [],
    );
    const questions = JSON.parse(reply.text) as unknown[];
    assert.ok(
      questions.length === 3 && questions.every((question) => typeof question === 'string'),
    );
  });

  it('answers only who has its key: nobody else reads what it was sent, or plants an answer', async () => {
    const origin = new URL(demo.url).origin;
    for (const [method, path] of [
      ['GET', '/v1/_requests'],
      ['GET', '/v1/models'],
      ['POST', '/v1/chat/completions'],
      ['POST', '/v1/embeddings'],
      ['GET', '/__aimock/journal'],
      ['GET', '/__aimock/fixtures'],
      ['POST', '/__aimock/fixtures'],
      ['POST', '/__aimock/reset'],
      ['POST', '/__aimock/error'],
      ['POST', '/__aimock/chaos'],
    ] as const)
      for (const key of [undefined, 'none']) {
        const answer = await fetch(`${origin}${path}`, {
          method,
          headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
          ...(method === 'POST' ? { body: '{"fixtures":[]}' } : {}),
        });
        assert.equal(answer.status, 401, `${method} ${path}`);
      }
  });
});
