// A burst under one grant, taken by two workers while processes and the database are killed: never more
// uses than it has, never over its sum, and each use is one call.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { deliveriesOf, startCluster, type Cluster } from '../e2e/cluster.ts';
import { pendingOf, plan, tokenOf, type Answer, type Caller } from '../e2e/stage.ts';
import { drawnFrom } from '../rig/share.ts';
import { until } from '../rig/wait.ts';

const [CALLERS, AMOUNT, MAX_SUM] = [20, 10, 65];
const USES = Math.floor(MAX_SUM / AMOUNT);

describe('kill -9 around the use of a grant', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let callers: readonly Caller[];
  before(async function () {
    this.timeout(120_000);
    cluster = await startCluster(this, { kills: true, apis: 2, workers: 2 });
    callers = [await cluster.as('ada', 0), await cluster.as('ada', 1)];
  });
  after(() => cluster?.stop());
  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const part of [...cluster.apis, ...cluster.workers]) console.log(part.log().slice(-3000));
  });

  const rows = (text: string) => cluster.postgres.sql(text, cluster.databaseUrl);
  const count = async (of: string): Promise<number> =>
    Number((await rows(`select count(*) from ${of}`))[0]?.['count']);
  async function grant(): Promise<string> {
    const response = await fetch(`${cluster.apis[0]?.url}/api/grants`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await tokenOf('lea')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        ...{ agentId: 'helper', tool: 'pay', when: `args.amount <= ${AMOUNT}`, maxUses: CALLERS },
        maxSum: { field: 'args.amount', value: MAX_SUM },
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        reason: 'small ones',
      }),
    });
    const made = (await response.json()) as { grantId: string; status: string };
    assert.deepEqual([response.status, made.status], [201, 'ACTIVE'], JSON.stringify(made));
    return made.grantId;
  }
  /** Each victim is killed while calls are being taken, and started again. */
  const VICTIMS: Readonly<Record<string, () => readonly Killable[]>> = {
    'a worker': () => cluster.workers.slice(0, 1),
    'both workers': () => cluster.workers,
    'the database server': () => [cluster.postgres],
    'a worker and the database server': () => [...cluster.workers.slice(1), cluster.postgres],
  };

  for (const [name, victims] of drawnFrom(Object.entries(VICTIMS)))
    it(`of ${name}: twenty calls take what there is and no more`, async () => {
      const grantId = await grant();
      const since = new Date().toISOString();
      const message = plan([['pay', { amount: AMOUNT }]], 'Paid.');
      // While the database is away a start is refused, or its answer is lost.
      const begun = Promise.allSettled(
        Array.from({ length: CALLERS }, (_, i) => callers[i % 2]?.begin(message)),
      );
      const taken = async (): Promise<number> => count(`grant_uses where grant_id = '${grantId}'`);
      await until('some uses are taken', async () => (await taken()) >= 2, 60_000, 5);
      await Promise.all(victims().map((victim) => victim.kill9()));
      await sleep(200);
      for (const victim of victims().toReversed()) await victim.start();
      await Promise.all(cluster.apis.map((api) => api.ready()));
      await begun;
      // As many again come after it.
      for (let i = 0; i < CALLERS / 2; i++) await callers[i % 2]?.begin(message);
      const runIds = (await rows(`select run_id from runs where created_at >= '${since}'`)).map(
        (row) => String(row['run_id']),
      );
      assert.ok(runIds.length > USES, 'more than the grant lets through');

      let ends: readonly Answer['run'][] = [];
      const settled = async (): Promise<boolean> => {
        ends = await Promise.all(
          runIds.map(async (runId) => (await callers[1]?.read({ runId }))?.run as Answer['run']),
        );
        return ends.every(({ status }) => status === 'COMPLETED' || status === 'PAUSED');
      };
      await until('every run has its end or waits', settled, 120_000, 500);

      const sent = runIds.flatMap((runId) => deliveriesOf(cluster.stage, runId));
      assert.equal(new Set(sent.map((one) => one.idempotencyKey)).size, sent.length, 'sent twice');
      assert.ok(sent.length <= USES, `${sent.length} sent`);
      const [kept] = await rows(
        `select uses, used_sum::float8 as sum from grants where grant_id = '${grantId}'`,
      );
      assert.deepEqual(kept, { uses: USES, sum: USES * AMOUNT });
      assert.equal(await taken(), USES);
      // A use stays taken where it may have happened; whoever found none left waits for a person.
      const unknown = ends.filter((run) => pendingOf(run)[0]?.kind === 'OUTCOME_UNKNOWN');
      const done = ends.filter(({ status }) => status === 'COMPLETED');
      assert.equal(done.length + unknown.length, USES);
      assert.ok(
        ends
          .filter((run) => pendingOf(run)[0]?.kind === 'APPROVAL')
          .every((run) => pendingOf(run)[0]?.grantsNear?.some((near) => near.grantId === grantId)),
        'who waits reads why the grant did not count',
      );
    });
});

interface Killable {
  readonly kill9: () => Promise<void>;
  readonly start: () => Promise<void>;
}
