import assert from 'node:assert/strict';
import { openStream, shown, type OpenStream } from '../api/stream-rig.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { followPlan, openStage, plan, tokenOf, type Stage } from './stage.ts';

const GAP_MS = 40;
const words = (n: number): string => Array.from({ length: n }, (_, i) => `w${i} `).join('');

describe('streams, by a real `npm start`', function () {
  this.timeout(90_000);
  let stage: Stage;
  let product: ProductProcess;
  let token: string;

  before(async () => {
    stage = await openStage((body) => {
      const reply = followPlan(body);
      // What counts words is said word by word.
      if (reply.text?.startsWith('w0 ') !== true) return reply;
      return {
        chunks: (reply.text.match(/\S+ /g) ?? []).map((text) => ({ text, delayMs: GAP_MS })),
      };
    });
    product = await startProduct({
      role: 'start',
      env: { ...stage.env, DATA_DIR: tempDir(), TEMPORAL_CLI: await temporalCliPath() },
    });
    token = await tokenOf('ada');
  });
  after(async () => {
    await product?.stop();
    await stage?.close();
  });
  const start = (message: string): Promise<OpenStream> =>
    openStream(`${product.url}/api/agents/helper/runs/stream`, { token, body: { message } });

  it('tokens reach the client one by one, as the model emits them', async () => {
    const stream = await start(plan(words(25)));
    const cameAt: number[] = [];
    await stream.until(() => {
      const deltas = stream.frames.filter((frame) => frame.event === 'CONTENT_DELTA').length;
      while (cameAt.length < deltas) cameAt.push(Date.now());
      return stream.frames.at(-1)?.event === 'STOP';
    });
    await stream.ended;
    assert.ok(cameAt.length >= 20, `${cameAt.length} frames for 25 words`);
    assert.ok((cameAt.at(-1) ?? 0) - (cameAt[0] ?? 0) > 0.6 * 24 * GAP_MS);
    assert.equal(shown(stream.frames, 1), words(25));
  });

  it('kill -9 in mid-stream: what is resumed is the stored answer, every id once and every tool call once', async () => {
    const stream = await start(plan([['look', { note: 'killed' }]], words(60)));
    const { data } = await stream.first('START');
    const runId = data.event === 'START' ? data.data.runId : '';
    await stream.until(() => shown(stream.frames, 2).length > 60);
    await product.kill9();
    await stream.ended;
    await product.start();
    const rest = await openStream(`${product.url}/api/agents/helper/runs/${runId}/stream`, {
      token,
      headers: { 'last-event-id': stream.frames.at(-1)?.id ?? '' },
    });
    await rest.first('STOP');
    await rest.ended;
    const all = [...stream.frames, ...rest.frames];
    assert.equal(new Set(all.map((frame) => frame.id)).size, all.length);
    assert.equal(rest.frames.filter((frame) => frame.event === 'RETRY').length, 1);
    const stop = rest.frames.at(-1)?.data;
    assert.ok(stop?.event === 'STOP');
    assert.equal(stop.data.content, words(60));
    assert.equal(shown(all, 2), words(60));
    assert.equal(all.filter((frame) => frame.event === 'TOOL_END').length, 1);
    const again = await openStream(`${product.url}/api/agents/helper/runs/${runId}/stream`, {
      token,
    });
    await again.ended;
    assert.equal(shown(again.frames, 2), words(60));
  });
});
