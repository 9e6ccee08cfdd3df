// A reply in very many pieces, from the provider's socket to the store: recorded in time, asked for
// once, and never taken for an outage.

import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { createCallModel, type CallModelRequest } from '../../src/activities/call-model.ts';
import type { TurnReply } from '../../src/contract/turn.ts';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import {
  delta,
  done,
  sse,
  startScriptedProvider,
  type ScriptedProvider,
} from '../models/scripted-provider.ts';
import { drive, openBench, type Bench } from '../store/fixture.ts';
import { quietly } from './quietly.ts';

describe('a reply in very many fragments', () => {
  let bench: Bench;
  let provider: ScriptedProvider;
  before(async () => {
    bench = await openBench();
    provider = await startScriptedProvider();
  });
  after(async () => {
    await provider.close();
    await bench.close();
  });

  const N = 30_000;
  const KINDS: Readonly<Record<string, (i: number) => object>> = {
    'empty ones': () => ({ tool_calls: [{}] }),
    'empty ones, each at its index': (i) => ({ tool_calls: [{ index: i }] }),
    'ones with an empty text': () => ({ content: '' }),
    'ones of one character': () => ({ content: 'x' }),
    'ones of one character of an argument': (i) => ({
      tool_calls: [
        { index: 0, id: 'a', function: { name: 'look', arguments: i === 0 ? '{"x":"' : 'y' } },
      ],
    }),
    'ones that are each a call': (i) => ({
      tool_calls: [{ index: i, id: `c${i}`, function: { name: 'look', arguments: '{}' } }],
    }),
  };

  for (const [kind, make] of Object.entries(KINDS))
    it(`${kind}: comes to a reply or to an end with a code, and the model is asked once`, async function () {
      this.timeout(60_000);
      const asked = provider.seen.length;
      provider.script = (res) => {
        sse(res);
        for (let i = 0; i < N; i++) delta(res, make(i));
        if (kind.includes('argument'))
          delta(res, { tool_calls: [{ index: 0, function: { arguments: '"}' } }] });
        else if (!kind.includes('call')) delta(res, { content: 'The answer.' });
        delta(res, {}, 'stop');
        done(res);
      };
      const run = await drive(bench.store).start();
      const model = createOpenAiModel({ baseUrl: provider.url, apiKey: 'k' });
      const callModel = createCallModel({ store: bench.store, model });
      const said = await quietly()
        .run<[CallModelRequest], TurnReply, typeof callModel>(callModel, {
          runId: run.runId,
          turn: 1,
        })
        .catch((error: unknown) => {
          assert.ok(error instanceof ApplicationFailure, String(error));
          assert.equal(error.nonRetryable, true, `${error.type}: ${error.message}`);
          return error.type ?? '';
        });
      assert.equal(provider.seen.length - asked, 1);
      const expected = kind.includes('each a call')
        ? ['BUDGET_EXCEEDED', 'OUTPUT_TOO_LARGE']
        : [kind.includes('argument') ? 'CALLS' : 'ANSWER'];
      assert.ok(
        expected.includes(typeof said === 'string' ? said : said.kind),
        JSON.stringify(said),
      );
    });
});
