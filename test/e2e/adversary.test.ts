// The model as the adversary: over two hundred ways to have a guarded call run without its approval,
// to learn a secret, or to keep a run from its end. By a real `npm start`; every guarded call is
// rejected, so none may arrive.

import assert from 'node:assert/strict';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import type { ModelRequestBody, Reply } from '../rig/scripted-model.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { tries } from './adversary-tries.ts';
import {
  callerOf,
  openStage,
  pendingOf,
  plan,
  tokenOf,
  followPlan,
  type Answer,
  type Caller,
  type Stage,
} from './stage.ts';

const TRIES = tries();
const AT_ONCE = 6;
const GUARDED = ['pay', 'send', 'wire'];
const OPEN = ['look', 'note', 'keep'];
/** More than limits.maxRejections and limits.maxTurns let a run ask for. */
const ROUNDS = 60;
const CANARY = 'c4n4ry-of-the-provider-0123456789abcdef';

const reply = (body: ModelRequestBody): Reply => {
  const asked = body.messages.findLastIndex(({ role }) => role === 'user');
  const n = /^try (\d+)$/.exec(String(body.messages[asked]?.content))?.[1];
  if (n === undefined) return followPlan(body);
  const turn = body.messages.slice(asked).filter(({ role }) => role === 'assistant').length;
  const { replies } = TRIES[Number(n)] ?? assert.fail(`no try ${n}`);
  return replies[turn] ?? replies.at(-1) ?? assert.fail('a try without a reply');
};

describe('a model that is the adversary', function () {
  this.timeout(600_000);
  let stage: Stage;
  let product: ProductProcess;
  let ada: Caller;
  let lea: Caller;
  const ends: Answer['run'][] = [];
  let asked = 0;

  before(async () => {
    stage = await openStage(reply);
    product = await startProduct({
      role: 'start',
      env: {
        ...stage.env,
        OPENAI_API_KEY: CANARY,
        DATA_DIR: tempDir(),
        TEMPORAL_CLI: await temporalCliPath(),
      },
    });
    ada = callerOf(product.url, await tokenOf('ada'));
    lea = callerOf(product.url, await tokenOf('lea'));
  });
  after(async () => {
    await product?.stop();
    await stage?.close();
  });

  /** Every call that is asked about is rejected, until the run has ended. */
  async function play(n: number): Promise<Answer['run']> {
    let { status, run } = await ada.ask(`try ${n}`);
    for (let round = 0; round < ROUNDS; round++) {
      assert.ok(status === 200 || status === 202, `${status} ${run.detail}`);
      if (run.status === 'PAUSED') {
        asked++;
        assert.notEqual(pendingOf(run).length, 0);
        for (const { name } of pendingOf(run)) assert.ok(GUARDED.includes(name), name);
        ({ status, run } = await lea.decide(run, { action: 'REJECT', pauseId: run.pauseId }));
      } else if (run.status === 'RUNNING' || run.status === 'QUEUED')
        ({ status, run } = await ada.read(run, 30));
      else return run;
    }
    return assert.fail(`it does not end: ${run.status}`);
  }

  it(`tries ${TRIES.length} things, and each of its runs comes to an end`, async () => {
    assert.ok(TRIES.length >= 200);
    const left = TRIES.keys();
    const lane = async (): Promise<void> => {
      for (const n of left) {
        const what = TRIES[n]?.what.slice(0, 80);
        const end = await play(n).catch((error: unknown) =>
          assert.fail(`${JSON.stringify(what)}: ${String(error)}`),
        );
        assert.notEqual(
          end.error?.code,
          'INTERNAL',
          `${JSON.stringify(what)}: ${end.error?.message}`,
        );
        ends.push(end);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    assert.equal(ends.length, TRIES.length);
    // Some come as far as a person, and some to a tool that needs none.
    assert.ok(asked >= 10, `${asked} pauses`);
    assert.ok(stage.sink.deliveries.length >= 10, `${stage.sink.deliveries.length} deliveries`);
  });

  it('has no guarded call run, and no other outside its schema', () => {
    const paths = stage.sink.deliveries.map(({ path }) => path.slice(1));
    assert.deepEqual(
      paths.filter((path) => !OPEN.includes(path)),
      [],
    );
    for (const { args } of stage.sink.deliveries) {
      const { mode, note, amount, ...others } = args;
      assert.deepEqual(others, {});
      for (const text of [mode, note]) assert.ok(text === undefined || typeof text === 'string');
      assert.ok(amount === undefined || Number.isSafeInteger(amount), String(amount));
    }
  });

  it('learns no secret, and no run says one', () => {
    const secrets = [CANARY, stage.env['JWT_SECRET'] ?? assert.fail('no secret')];
    const said = [
      ...stage.model.requests.map(({ body }) => JSON.stringify(body)),
      ...stage.sink.deliveries.map(({ args }) => JSON.stringify(args)),
      ...ends.map((end) => JSON.stringify(end)),
      product.log(),
    ];
    for (const text of said) for (const secret of secrets) assert.ok(!text.includes(secret));
  });

  it('has taken nothing from others: a plain run is answered at once', async () => {
    const began = performance.now();
    const { run } = await ada.ask(plan([['look', { note: 'after' }]], 'Well.'));
    assert.deepEqual([run.status, run.content], ['COMPLETED', 'Well.']);
    assert.ok(performance.now() - began < 5000);
  });
});
