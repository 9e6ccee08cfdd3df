import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { deliveriesOf, startCluster, type Cluster } from '../e2e/cluster.ts';
import { historyOf, wordsOf } from '../e2e/history.ts';
import {
  agentFile,
  callerOf,
  pendingOf,
  plan,
  tokenOf,
  type Answer,
  type Caller,
} from '../e2e/stage.ts';
import type { startProduct } from '../rig/product.ts';
import { drawnFrom } from '../rig/share.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { until } from '../rig/wait.ts';

const PARTS = ['worker', 'API', 'database server', 'Temporal server'] as const;
type Part = (typeof PARTS)[number];
const VICTIMS: readonly (readonly Part[])[] = [...PARTS.map((part) => [part]), PARTS];
/**
 * After the vote was sent: before its commit, around it, and while its signal travels, as the dice
 * fall.
 */
const MOMENTS_MS = [0, 10, 30, 100];

describe('kill -9 around a decision', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let ada: Caller;
  let lea: Caller;
  before(async function () {
    this.timeout(120_000);
    cluster = await startCluster(this, { kills: true });
    ada = await cluster.as('ada');
    lea = await cluster.as('lea');
  });
  after(() => cluster?.stop());
  // One failure must not be every later one's: whatever a test left dead is started, and what the
  // parts said is shown.
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const part of [...cluster.apis, ...cluster.workers]) console.log(part.log().slice(-3000));
    await kill(PARTS);
    await revive(PARTS);
  });

  const handleOf = (part: Part): { kill9: () => Promise<void>; start: () => Promise<void> } => {
    const [api, worker] = [cluster.apis[0], cluster.workers[0]];
    if (part === 'worker' && worker !== undefined) return worker;
    if (part === 'API' && api !== undefined) return { kill9: api.kill9, start: api.start };
    return part === 'database server' ? cluster.postgres : cluster.temporal;
  };
  const kill = (parts: readonly Part[]) => Promise.all(parts.map((part) => handleOf(part).kill9()));
  /** The servers first, as whoever brings a machine up does. */
  async function revive(parts: readonly Part[]): Promise<void> {
    for (const part of ['database server', 'Temporal server', 'worker', 'API'] as const)
      if (parts.includes(part)) await handleOf(part).start();
    await cluster.apis[0]?.ready();
  }
  async function paused(
    tool: 'pay' | 'send' = 'pay',
    args: object = { amount: 5 },
  ): Promise<Answer['run']> {
    const { run } = await ada.ask(plan([[tool, { ...args }]], 'Done.'));
    assert.equal(run.status, 'PAUSED', JSON.stringify(run));
    return run;
  }
  const exactly = (run: Answer['run']): object => ({
    action: 'APPROVE',
    callId: pendingOf(run)[0]?.callId,
    pauseId: run.pauseId,
  });
  /** One decision, and one effect: deliveries with one Idempotency-Key are one. */
  async function appliedOnce(run: Answer['run']): Promise<void> {
    let last: Answer['run'] | undefined;
    const settled = async (): Promise<boolean> => {
      last = (await ada.read(run)).run;
      return last.status === 'COMPLETED' || last.pending?.[0]?.kind === 'OUTCOME_UNKNOWN';
    };
    await until('the run went on', settled, 90_000, 200);
    if (last?.status === 'PAUSED') {
      // Killed in the middle of a call that must not be repeated: a person says that it is to be
      // left.
      const left = { action: 'REJECT', callId: pendingOf(last)[0]?.callId, pauseId: last.pauseId };
      last = (await lea.decide(last, left)).run;
    } else assert.ok(deliveriesOf(cluster.stage, run.runId).length >= 1);
    assert.equal(last?.content, 'Done.');
    const deliveries = deliveriesOf(cluster.stage, run.runId);
    assert.ok(new Set(deliveries.map((d) => d.idempotencyKey)).size <= 1);
    if (deliveries[0]?.path === '/pay') assert.equal(deliveries.length, 1);
    const decided = `select deciders from decisions d join pauses p using (pause_id) where d.run_id = '${run.runId}' and p.kind = 'APPROVAL'`;
    assert.deepEqual(await cluster.postgres.sql(decided, cluster.databaseUrl), [
      { deciders: ['lea'] },
    ]);
  }
  /** The length of a history, when its workflow has completed. */
  async function closed(runId: string): Promise<number> {
    const events = () => historyOf(cluster.temporal.cli, runId);
    const ended = async (): Promise<boolean> =>
      (await events()).at(-1)?.eventType === 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED';
    await until('the workflow has closed', ended);
    return (await events()).length;
  }
  const nameOf = (parts: readonly Part[]): string =>
    parts.length === 1 ? (parts[0] ?? '') : 'all of them together';

  for (const parts of drawnFrom(VICTIMS))
    it(`while PAUSED, of the ${nameOf(parts)}: after a restart the decision is applied once`, async () => {
      const run = await paused();
      await kill(parts);
      await revive(parts);
      assert.equal((await ada.read(run)).run.status, 'PAUSED');
      const { status } = await lea.decide(run, exactly(run), 'wait=30');
      assert.ok(status === 200 || status === 202);
      await appliedOnce(run);
    });

  for (const parts of drawnFrom(VICTIMS))
    it(`at the moment of the decision, of the ${nameOf(parts)}: the vote sent again is the same vote, applied once`, async () => {
      for (const [index, moment] of drawnFrom(MOMENTS_MS).entries()) {
        const run = await paused(index % 2 === 0 ? 'send' : 'pay');
        const vote = lea.decide(run, exactly(run), 'wait=1').catch(() => undefined);
        await sleep(moment);
        await kill(parts);
        await vote;
        await revive(parts);
        const again = await lea.decide(run, exactly(run));
        assert.ok(
          again.status === 200 || again.status === 202,
          `${moment} ms: ${again.status} ${again.run.detail}`,
        );
        await appliedOnce(run);
      }
    });

  it('before the commit, of the API: nothing was decided, and the vote sent again decides', async () => {
    const run = await paused();
    const holder = new pg.Client({ connectionString: cluster.databaseUrl });
    await holder.connect();
    await holder.query('begin');
    await holder.query('select 1 from runs where run_id = $1 for no key update', [run.runId]);
    const vote = lea.decide(run, exactly(run)).catch(() => undefined);
    const waiting = `select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    await until(
      'the vote waits for the lock',
      async () => (await cluster.postgres.sql(waiting, cluster.databaseUrl))[0]?.['n'] !== 0,
    );
    await kill(['API']);
    assert.equal(await vote, undefined);
    await holder.query('rollback');
    await holder.end();
    await revive(['API']);
    const votes = await cluster.postgres.sql(
      `select 1 from votes where run_id = '${run.runId}'`,
      cluster.databaseUrl,
    );
    assert.equal(votes.length, 0);
    await lea.decide(run, exactly(run));
    await appliedOnce(run);
  });

  it('between the commit and the signal: the vote answers 202 and counts, and nobody has to vote again', async () => {
    const run = await paused();
    await kill(['Temporal server']);
    const answer = await lea.decide(run, exactly(run));
    assert.deepEqual([answer.status, answer.run.status], [202, 'RUNNING']);
    await kill(['API']);
    await revive(['Temporal server', 'API']);
    await appliedOnce(run);
  });

  it('between the signal and the effect: the decision waits for a worker, and nobody has to vote again', async () => {
    const run = await paused();
    await kill(['worker']);
    await lea.decide(run, exactly(run), 'wait=0');
    const signalled = async (): Promise<boolean> =>
      (await historyOf(cluster.temporal.cli, run.runId)).some((event) =>
        event.eventType.endsWith('SIGNALED'),
      );
    await until('the signal is in the history', signalled);
    await kill(['Temporal server', 'API']);
    await revive(['Temporal server', 'worker', 'API']);
    await appliedOnce(run);
  });

  it('in the middle of the effect, of an idempotent tool: it is asked again with the same Idempotency-Key', async () => {
    const run = await paused('send', { mode: 'slow:1500' });
    const sent = cluster.stage.sink.deliveries.length;
    await lea.decide(run, exactly(run), 'wait=0');
    await cluster.stage.sink.delivery(sent + 1);
    await kill(['worker']);
    await revive(['worker']);
    await until(
      'the run went to its end',
      async () => (await ada.read(run)).run.status === 'COMPLETED',
      60_000,
      200,
    );
    const keys = deliveriesOf(cluster.stage, run.runId).map((d) => d.idempotencyKey);
    assert.ok(keys.length === 2 && keys[0] === keys[1], keys.join());
  });

  it('in the middle of the effect, of a tool that must not be repeated: a person is asked, and it was sent once', async () => {
    const run = await paused('pay', { mode: 'slow:1500' });
    const sent = cluster.stage.sink.deliveries.length;
    await lea.decide(run, exactly(run), 'wait=0');
    await cluster.stage.sink.delivery(sent + 1);
    await kill(['worker']);
    await revive(['worker']);
    await until(
      'a person is asked',
      async () => (await ada.read(run)).run.pending?.[0]?.kind === 'OUTCOME_UNKNOWN',
      60_000,
      200,
    );
    const asked = (await ada.read(run)).run;
    const [call] = pendingOf(asked);
    const end = await lea.decide(asked, {
      action: 'REJECT',
      callId: call?.callId,
      pauseId: asked.pauseId,
    });
    assert.deepEqual([end.run.status, end.run.tools[0]?.outcome], ['COMPLETED', 'UNKNOWN']);
    assert.equal(deliveriesOf(cluster.stage, run.runId).length, 1);
  });

  describe('what else changes while a run waits', () => {
    it('a new release: runs paused under the old one go on under code with a patched() change', async () => {
      const run = await paused();
      const rootDir = fileURLToPath(new URL('../..', import.meta.url));
      const copy = tempDir();
      for (const name of ['src', 'bin', 'test/rig', 'package.json', 'tsconfig.json'])
        cpSync(join(rootDir, name), join(copy, name), { recursive: true });
      symlinkSync(join(rootDir, 'node_modules'), join(copy, 'node_modules'));
      const file = join(copy, 'src/workflows/agent-run.ts');
      const old = readFileSync(file, 'utf8');
      const before = 'callModel: async (turn) => {';
      const after = `${before}
        if (patched('look-before-asking')) await claimDecision(runId, { turn, n: 99 }, []);`;
      assert.ok(old.includes(before), 'the place that this test changes is there');
      const imports = /^  patched,$/m.test(old) ? old : old.replace('log,\n', 'log,\n  patched,\n');
      writeFileSync(file, imports.replace(before, after));
      await kill(['worker']);
      const { startProduct: startNext } = (await import(join(copy, 'test/rig/product.ts'))) as {
        startProduct: typeof startProduct;
      };
      const next = await startNext({
        role: 'worker',
        env: { ...cluster.env, DATA_DIR: tempDir() },
        noWait: true,
      });
      try {
        await lea.decide(run, exactly(run));
        await appliedOnce(run);
        const fresh = await ada.ask(plan('A run of the new release.'));
        assert.equal(fresh.run.content, 'A run of the new release.');
        for (const { runId } of [run, fresh.run]) {
          assert.match(wordsOf(await historyOf(cluster.temporal.cli, runId)), /look-before-asking/);
          await closed(runId); // the old code, started again below, could not go on with these
        }
      } finally {
        await next.kill9();
        await revive(['worker']);
      }
    });

    for (const [what, change] of [
      [
        'edited',
        (file: string, url: string) =>
          writeFileSync(file, agentFile('helper', `${url}/elsewhere`, 'limits: { maxTurns: 1 }')),
      ],
      ['deleted', (file: string) => rmSync(file)],
    ] as const)
      it(`the agent's file ${what}: the run ends by its snapshot`, async () => {
        const run = await paused();
        const file = join(cluster.stage.agentsDir, 'helper.yaml');
        const kept = readFileSync(file, 'utf8');
        await kill(['API', 'worker']);
        change(file, cluster.stage.sink.url);
        try {
          await revive(['worker', 'API']);
          await lea.decide(run, exactly(run));
          await appliedOnce(run);
          assert.equal(deliveriesOf(cluster.stage, run.runId)[0]?.path, '/pay');
        } finally {
          writeFileSync(file, kept);
          await kill(['API']);
          await revive(['API']);
        }
      });

    it('the token of who started it expires: the run goes on all the same', async () => {
      const url = cluster.apis[0]?.url ?? '';
      const brief = callerOf(url, await tokenOf('ada', 2));
      const { run } = await brief.ask(plan([['pay', {}]], 'Done.'));
      await until(
        'the token is over, and the skew that is allowed for',
        async () => (await brief.read(run)).status === 401,
        120_000,
        500,
      );
      await lea.decide(run, exactly(run));
      await appliedOnce(run);
    });

    it('5,000 refused votes and then a good one: it works, and the history has grown by what the good one needs', async () => {
      const plain = await paused();
      await lea.decide(plain, exactly(plain));
      const needed = await closed(plain.runId);

      const run = await paused();
      const callId = pendingOf(run)[0]?.callId;
      const bad = [
        { action: 'APPROVE', callId, argumentsHash: '0'.repeat(64) },
        { action: 'APPROVE', callId: 'call_of_nobody' },
        { action: 'APPROVE', pauseId: 'pause_of_yesterday' },
        { action: 'PERHAPS' },
        { action: 'APPROVE', callId, arguments: { amount: 'five' } },
        { action: 'REJECT', reason: 'x'.repeat(5000) },
      ];
      const numbers = Array.from({ length: 5000 }, (_, i) => i).values();
      const seen = new Map<number, number>();
      const lane = async (): Promise<void> => {
        for (const i of numbers) {
          const { status } = await lea.decide(run, bad[i % bad.length] ?? {});
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: 16 }, lane));
      console.log(`      answers: ${JSON.stringify(Object.fromEntries(seen))}`);
      assert.ok([...seen.keys()].every((status) => status >= 400 && status < 500));
      await lea.decide(run, exactly(run));
      await appliedOnce(run);
      assert.equal(await closed(run.runId), needed);
    });
  });
});
