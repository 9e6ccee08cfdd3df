// `npm run try:model-server` against a server that keeps the rules, one that does not, and none.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tryServer } from '../../scripts/model-server/try-server.ts';
import type { Row } from '../../scripts/model-server/verdicts.ts';
import { freePort } from '../rig/free-port.ts';
import {
  startScriptedModel,
  type ModelRequestBody,
  type Reply,
  type ScriptedModel,
} from '../rig/scripted-model.ts';
import { strictServer, type Body } from './strict-server.ts';

const KEY = 'sk-right';
const refusal = (status: number, code: string): Reply => ({
  status,
  body: JSON.stringify({ error: { message: 'x', type: 'invalid_request_error', code } }),
});

/** As a server and a model should: strict on requests, told apart in its refusals. */
function good(body: ModelRequestBody): Reply {
  try {
    strictServer(body as unknown as Body);
  } catch {
    return refusal(400, 'invalid_value');
  }
  if (JSON.stringify(body).length > 100_000) return refusal(400, 'context_length_exceeded');
  if (body['max_tokens'] === 3)
    return {
      chunks: ['one', ' two', ' three'].map((text) => ({ text })),
      finish: 'length',
      usage: { prompt: 10, completion: 3 },
    };
  const asked = String(body.messages.at(-1)?.content);
  if (asked.startsWith('Count'))
    return { chunks: Array.from({ length: 100 }, () => ({ text: 'x ', delayMs: 20 })) };
  const tickers = asked.match(/AAPL|MSFT|NVDA/g) ?? [];
  if (body.tools !== undefined && body['tool_choice'] !== 'none' && tickers.length > 0)
    return { toolCalls: tickers.map((ticker) => ({ name: 'get_stock_price', args: { ticker } })) };
  return { reasoning: 'hm', chunks: [{ text: 'It is ' }, { text: asked.slice(0, 40) }] };
}

/** Takes any key and any length, cuts nothing and its own calls in the middle, knows no results. */
function broken(body: ModelRequestBody): Reply {
  if (body.messages.some(({ role }) => role === 'tool')) return refusal(400, 'invalid_value');
  if (body.tools !== undefined)
    return { toolCalls: [{ name: 'get_stock_price', args: '{"ticker":' }] };
  return { chunks: [{ text: 'Good ' }, { text: 'day.' }] };
}

describe('models: npm run try:model-server', function () {
  // Two processes of their own, beside whatever else the machine does.
  this.timeout(180_000);
  const servers: ScriptedModel[] = [];
  const serve = async (
    answer: (body: ModelRequestBody) => Reply,
    key?: string,
  ): Promise<string> => {
    const server = await startScriptedModel((body, n) =>
      key === undefined || server.requests[n - 1]?.headers.authorization === `Bearer ${key}`
        ? answer(body)
        : refusal(401, 'invalid_api_key'),
    );
    servers.push(server);
    return server.url;
  };
  after(async () => {
    for (const server of servers) await server.close();
  });
  const verdicts = (rows: readonly Row[]): ReadonlyMap<string, Row['verdict']> =>
    new Map(rows.map(({ rule, verdict }) => [rule, verdict]));

  it('says of a server that keeps the rules that each holds, or why it was not tried', async () => {
    const rows = await tryServer({ url: await serve(good, KEY), model: 'm', apiKey: KEY });
    assert.deepEqual(
      rows.filter(({ verdict }) => verdict === 'does not'),
      [],
    );
    assert.ok(rows.filter(({ verdict }) => verdict === 'holds').length >= 18, JSON.stringify(rows));
    for (const { rule, verdict, seen } of rows) {
      assert.notEqual(seen, '', rule);
      if (verdict === 'not tried') assert.match(seen, /own model|no request brings/, rule);
    }
    const own = rows.find(({ rule }) => rule === 'a turn of its own goes back as it came');
    assert.match(own?.seen ?? '', /^id scripted_\d+_0, with reasoning_content|^id scripted_\d+_0:/);
  });

  it('says of each rule that a server does not keep what it did instead', async () => {
    const got = verdicts(await tryServer({ url: await serve(broken), model: 'm', apiKey: KEY }));
    for (const rule of ['the server answers', 'text, streamed', 'an unknown route'])
      assert.equal(got.get(rule), 'holds', rule);
    for (const rule of [
      'cut by max_tokens',
      'a tool call',
      'a transcript with calls, results and an earlier exchange',
      'a prompt longer than the context',
      'a turn of its own goes back as it came',
      'a tool that answered with no text',
      'tools that may not be called, for follow-ups',
      'a key that is none',
    ])
      assert.equal(got.get(rule), 'does not', rule);
    assert.equal(got.get('thoughts come under a name that is known'), 'not tried');
  });

  it('does not go on asking where no server answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}/v1`;
    const [first, ...rest] = await tryServer({ url, model: 'm', apiKey: '' });
    assert.equal(first?.verdict, 'does not');
    assert.ok(rest.every(({ verdict }) => verdict === 'not tried'));
  });

  it('prints a table with a figure for its last line, and ends with 1 where a rule does not hold', async () => {
    const run = (url: string): Promise<{ readonly code: unknown; readonly out: string }> =>
      new Promise((resolve) => {
        const script = ['--import', 'tsx', 'scripts/try-model-server.ts', '--no-product'];
        const args = [...script, '--url', url, '--model', 'm', '--key', KEY];
        const cwd = fileURLToPath(new URL('../..', import.meta.url));
        execFile(process.execPath, args, { cwd }, (error, out) =>
          resolve({ code: error === null ? 0 : error.code, out }),
        );
      });
    const [well, badly] = await Promise.all([
      run(await serve(good, KEY)),
      run(await serve(broken)),
    ]);
    assert.equal(well.code, 0, well.out);
    assert.match(well.out, /^rule +verdict +what was seen\n(.+ {2}(holds|not tried) .+\n)+\n/);
    assert.match(well.out, /\n\d+ hold, 0 do not, \d+ not tried\n$/);
    assert.equal(badly.code, 1);
    assert.match(badly.out, /^a tool call +does not .+get_stock_price\(\{"ticker":\)/m);
  });
});
