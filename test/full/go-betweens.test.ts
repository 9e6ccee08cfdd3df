import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  agentFile,
  callerOf,
  openStage,
  plan,
  tokenOf,
  type Caller,
  type Stage,
} from '../e2e/stage.ts';
import { deliveriesOf } from '../e2e/cluster.ts';
import { bodyOf, serve } from '../rig/http-server.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { isWhole } from '../rig/share.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';

const SHORT_PATIENCE_S = 4;

/** A gateway on a port of its own in front of `target`: refuses connections while it is down. */
async function gatewayTo(target: string) {
  const { port } = new URL(target);
  const open = new Set<Socket>();
  const accept = (socket: Socket): void => {
    const beyond = connect(Number(port), '127.0.0.1');
    for (const [one, other] of [
      [socket, beyond],
      [beyond, socket],
    ] as const) {
      open.add(one);
      one.on('close', () => (open.delete(one), other.destroy()));
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  };
  let server: Server;
  const up = (at: number): Promise<number> =>
    new Promise((done, failed) => {
      server = createServer(accept).on('error', failed);
      server.listen(at, '127.0.0.1', () => done((server.address() as { port: number }).port));
    });
  const own = await up(0);
  const down = (): Promise<void> =>
    new Promise((done) => {
      server.close(() => done());
      for (const socket of open) socket.destroy();
    });
  return { url: target.replace(`:${port}`, `:${own}`), down, up: () => up(own) };
}

describe('what is between a run and its model, or a tool', function () {
  this.timeout(240_000);
  let stage: Stage;
  let gateway: Awaited<ReturnType<typeof gatewayTo>>;
  let proxy: Awaited<ReturnType<typeof serve>>;
  /** What the proxy says once the tool has had the call. */
  let says = 502;
  const products: ProductProcess[] = [];
  before(async () => {
    stage = await openStage();
    gateway = await gatewayTo(stage.model.url);
    proxy = await serve(async (incoming, response) => {
      const body = await bodyOf(incoming);
      const { method, headers, url } = incoming;
      const onward = request(`${stage.sink.url}${url}`, { ...(method ? { method } : {}), headers });
      onward.on('response', (answer) => {
        answer.resume();
        response.writeHead(says).end('<html>Bad gateway</html>');
      });
      onward.end(body);
    });
    writeFileSync(
      join(stage.agentsDir, 'behind.yaml'),
      agentFile('behind', `http://127.0.0.1:${proxy.port}`),
    );
  });
  after(async () => {
    for (const product of products) await product.stop();
    await proxy?.close();
    await gateway?.down();
    await stage?.close();
  });

  async function started(more: Readonly<Record<string, string>> = {}): Promise<Caller> {
    const product = await startProduct({
      role: 'start',
      env: {
        ...stage.env,
        DATA_DIR: tempDir(),
        TEMPORAL_CLI: await temporalCliPath(),
        OPENAI_BASE_URL: gateway.url,
        ...more,
      },
    });
    products.push(product);
    return callerOf(product.url, await tokenOf('ada'));
  }
  /** Its approved call has gone out, and the model is away when it comes to its next turn. */
  async function sentAndAway(ada: Caller) {
    const { run } = await ada.ask(plan([['send', { amount: 5 }]], 'It is sent.'));
    assert.equal(run.status, 'PAUSED');
    await gateway.down();
    await ada.decide(run, { action: 'APPROVE' }, 'wait=0');
    await until('it waits for its model', async () => {
      const { run: now } = await ada.read(run);
      return now.waitingFor?.what === 'MODEL';
    });
    assert.equal(deliveriesOf(stage, run.runId).length, 1);
    return run;
  }

  describe('with the usual wait', () => {
    let ada: Caller;
    before(async () => void (ada = await started()));

    for (const seconds of isWhole ? [3, 60] : [3])
      it(`a model that is away for ${seconds} s ends no run: it says what it waits for, then completes, and its call went out once`, async () => {
        const run = await sentAndAway(ada);
        await sleep(seconds * 1000);
        const { run: waiting } = await ada.read(run);
        assert.equal(waiting.status, 'RUNNING');
        assert.doesNotMatch(waiting.waitingFor?.lastProblem ?? '', /\d+\.\d+\.\d+\.\d+|localhost/);
        await gateway.up();
        const { run: end } = await ada.read(run, 40);
        assert.deepEqual([end.status, end.content], ['COMPLETED', 'It is sent.']);
        assert.equal(end.waitingFor, undefined);
        assert.equal(deliveriesOf(stage, run.runId).length, 1);
      });

    for (const status of [502, 504])
      it(`a proxy that says ${status} after the tool has had the call decides nothing: a person is asked, or the same key is sent again`, async () => {
        says = status;
        const once = await ada.ask(plan([['pay', { amount: 5 }]], 'Well.'), { agent: 'behind' });
        const unknown = await ada.decide(once.run, { action: 'APPROVE' });
        assert.deepEqual(
          unknown.run.pending?.map(({ kind }) => kind),
          ['OUTCOME_UNKNOWN'],
        );
        const [call] = unknown.run.pending ?? [];
        const { pauseId } = unknown.run;
        const left = await ada.decide(once.run, {
          action: 'REJECT',
          callId: call?.callId,
          pauseId,
        });
        const [entry] = left.run.tools;
        assert.deepEqual([entry?.outcome, entry?.httpStatus], ['UNKNOWN', status]);
        assert.equal(deliveriesOf(stage, once.run.runId).length, 1);

        const keyed = await ada.ask(plan([['keep', { amount: 5 }]], 'Kept.'), { agent: 'behind' });
        const sent = deliveriesOf(stage, keyed.run.runId);
        assert.equal(sent.length, 3);
        assert.equal(new Set(sent.map(({ idempotencyKey }) => idempotencyKey)).size, 1);
        assert.deepEqual(
          keyed.run.pending?.map(({ kind }) => kind),
          ['OUTCOME_UNKNOWN'],
        );
      });
  });

  it('a model that is away for longer than that wait ends the run, not before; retried, it goes on and its call is not sent again', async () => {
    const ada = await started({ MODEL_PATIENCE_S: String(SHORT_PATIENCE_S) });
    const run = await sentAndAway(ada);
    const since = Date.parse((await ada.read(run)).run.waitingFor?.since ?? '');
    const { run: failed } = await ada.read(run, 60);
    assert.equal(failed.error?.code, 'MODEL_UNAVAILABLE');
    assert.ok(Date.parse(failed.updatedAt) - since >= SHORT_PATIENCE_S * 1000 - 500);
    assert.equal(failed.tools[0]?.isError, false, 'what was done stands');
    await gateway.up();
    const again = await ada.retry(run);
    assert.deepEqual([again.run.status, again.run.content], ['COMPLETED', 'It is sent.']);
    assert.equal(deliveriesOf(stage, run.runId).length, 1);
  });
});
