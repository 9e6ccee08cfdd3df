// How many runs an org and an agent may have under way, paused and queued; the last test of each is
// about starts that come at once.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { ProblemCode } from '../../src/contract/errors.ts';
import type { RunLimits } from '../../src/store/runs/run-limits.ts';
import { retryRun } from '../../src/store/runs/retry.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { startRun } from '../../src/store/runs/runs.ts';
import { agent, drive, onPostgres, openBench, refusedAs, type Bench } from './fixture.ts';

const limitsOf = (limits: Partial<RunLimits>): RunLimits => ({
  ...{ perOrg: 100, perAgent: 100, pausedPerOrg: 100, fewPausedUntil: new Map() },
  ...limits,
});
const failed = { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } } as const;

const refused = (starting: Promise<unknown>, code: ProblemCode): Promise<void> =>
  assert.rejects(starting, refusedAs(code));

function describeLimits(bench: () => Bench): void {
  const newOrg = (): string => `org-${randomUUID()}`;
  const steps = () => drive(bench().store);
  const end = (runId: string) =>
    bench().store.asWorker((tx) => settle(tx, runId, { kind: 'CANCELLED' }, 'test'));

  it('an org has so many runs under way; one that is over or paused makes room, and no other org is held', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({ perOrg: 2 })];
    const first = await s.start({ orgId, limits });
    const second = await s.start({ orgId, limits });
    await refused(s.start({ orgId, limits }), 'TOO_MANY_RUNS');
    await s.start({ orgId: newOrg(), limits });

    await end(first.runId);
    await s.start({ orgId, limits });
    await refused(s.start({ orgId, limits }), 'TOO_MANY_RUNS');
    const [callId = ''] = await s.asks(second, 1, ['send']);
    await s.pause(second, 1, 1, [callId]);
    await s.start({ orgId, limits });
    await refused(s.start({ orgId, limits }), 'TOO_MANY_RUNS');
  });

  it('an agent has so many in an org, and the org’s other agents go on', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({ perAgent: 1 })];
    await s.start({ orgId, limits, agent: agent({ id: 'busy' }) });
    await refused(s.start({ orgId, limits, agent: agent({ id: 'busy' }) }), 'TOO_MANY_RUNS');
    await s.start({ orgId, limits, agent: agent({ id: 'other' }) });
    await s.start({ orgId: newOrg(), limits, agent: agent({ id: 'busy' }) });
  });

  it('as many as may wait for people, and no start more', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({ pausedPerOrg: 1 })];
    const run = await s.start({ orgId, limits });
    const [callId = ''] = await s.asks(run, 1, ['send']);
    await s.pause(run, 1, 1, [callId]);
    await refused(s.start({ orgId, limits }), 'TOO_MANY_PAUSED_RUNS');
    const behind = { orgId, limits, sessionId: run.sessionId, onPaused: 'queue' } as const;
    await refused(s.start(behind), 'TOO_MANY_PAUSED_RUNS');
    await end(run.runId);
    await s.start({ orgId, limits });
  });

  it('a message that waits behind a run of its session takes no slot until it is released', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({ perOrg: 1 })];
    const { runId, sessionId } = await s.start({ orgId, limits });
    const next = await s.start({ orgId, limits, sessionId });
    await refused(s.start({ orgId, limits }), 'TOO_MANY_RUNS');
    await end(runId);
    await refused(s.start({ orgId, limits }), 'TOO_MANY_RUNS');
    await end(next.runId);
    await s.start({ orgId, limits });
  });

  it('a hundred messages wait in a session, and no more', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({})];
    const { sessionId } = await s.start({ orgId, limits });
    const { runId } = await s.start({ orgId, limits, sessionId });
    for (let i = 1; i < 100; i++) await s.start({ orgId, limits, sessionId });
    await refused(s.start({ orgId, limits, sessionId }), 'TOO_MANY_QUEUED_RUNS');
    await end(runId);
    await s.start({ orgId, limits, sessionId });
    await refused(s.start({ orgId, limits, sessionId }), 'TOO_MANY_QUEUED_RUNS');
    await s.start({ orgId, limits });
  });

  it('a run that is taken up again needs a slot too', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({ perOrg: 1 })];
    const { runId } = await s.start({ orgId, limits });
    const retry = { runId, by: 'ada', retryId: randomUUID(), limits };
    await bench().store.asWorker((tx) => settle(tx, runId, failed, 'test'));
    const other = await s.start({ orgId, limits });
    const taken = () => bench().store.asOrg(orgId, (tx) => retryRun(tx, retry));
    await refused(taken(), 'TOO_MANY_RUNS');
    await end(other.runId);
    assert.equal((await taken()).kind, 'TAKEN_UP');
    await refused(s.start({ orgId, limits }), 'TOO_MANY_RUNS');
  });

  it('a start that is played again finds its run, also where the limit is reached by it', async () => {
    const s = steps();
    const [orgId, limits] = [newOrg(), limitsOf({ perOrg: 1 })];
    const run = await s.start({ orgId, limits });
    const again = await bench().store.asOrg(orgId, (tx) => startRun(tx, run));
    assert.equal(again.runId, run.runId);
  });

  it('sixty starts at once of which ten may be: ten are', async () => {
    const s = steps();
    const orgId = newOrg();
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const limits = limitsOf(i % 2 === 0 ? { perOrg: 10 } : { perOrg: 10, perAgent: 10 });
        return s.start({ orgId, limits }).then(
          () => 'started',
          (error: unknown) => (error as { code?: string }).code,
        );
      }),
    );
    assert.equal(outcomes.filter((one) => one === 'started').length, 10);
    assert.equal(outcomes.filter((one) => one === 'TOO_MANY_RUNS').length, 50);
  });
}

describe('limits of runs in PGlite', function () {
  this.timeout(60_000);
  let bench: Bench | undefined;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench?.close());
  describeLimits(() => bench ?? assert.fail());
});

describe('limits of runs in PostgreSQL', function () {
  this.timeout(60_000);
  const on = onPostgres();
  describeLimits(() => on.bench);
});
