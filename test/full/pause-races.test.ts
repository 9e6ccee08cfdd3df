import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { shareOf } from '../rig/share.ts';
import { deliveriesOf, startCluster, type Cluster } from '../e2e/cluster.ts';
import { pendingOf, plan, type Answer, type Caller } from '../e2e/stage.ts';

const RUNS = shareOf(100, 50);
const PEOPLE = 20;
/** Runs raced side by side. */
const AT_ONCE = 4;

interface Raced {
  readonly runId: string;
  readonly agentId: string;
  readonly cancelled: boolean;
  readonly votes: readonly {
    readonly who: string;
    readonly action: string;
    readonly answer: Answer;
  }[];
}

describe('races over HTTP, two APIs and two workers on PostgreSQL and Temporal', function () {
  this.timeout(900_000);
  let cluster: Cluster;
  const ada: Caller[] = [];
  const people: Caller[] = [];
  const raced: Raced[] = [];

  before(async function () {
    this.timeout(120_000);
    cluster = await startCluster(this, { apis: 2, workers: 2 });
    for (const api of [0, 1]) ada.push(await cluster.as('ada', api));
    for (let i = 0; i < PEOPLE; i++) people.push(await cluster.as(`p${i}`, i % 2));
    for (const worker of cluster.workers) assert.equal(worker.log(), '');
  });
  after(() => cluster?.stop());

  /**
   * A third by votes alone, a third with cancels among them, a third at the moment of the expiry.
   */
  async function race(index: number): Promise<void> {
    const kind = (['votes', 'cancel', 'expiry'] as const)[index % 3];
    const agentId = kind === 'expiry' ? 'expiring' : 'helper';
    const { run } = await (ada[index % 2] as Caller).ask(
      plan([['pay', { amount: index }]], 'The end.'),
      { agent: agentId },
    );
    const [call] = pendingOf(run);
    const expiresAt = call?.expiresAt == null ? 0 : Date.parse(call.expiresAt);
    if (expiresAt > 0) await sleep(Math.max(0, expiresAt - Date.now() - 15));
    const jobs = people.map(async (person, i) => {
      if (kind === 'cancel' && i % 5 === 4) {
        assert.equal(await (ada[i % 2] as Caller).cancel({ runId: run.runId, agentId }), 204);
        return [];
      }
      if (kind === 'expiry') await sleep(i * 2);
      const action = (i + index) % 2 === 0 ? 'APPROVE' : 'REJECT';
      const named = call === undefined ? {} : { callId: call.callId };
      const answer = await person.decide(
        { runId: run.runId, agentId },
        { action, ...named },
        'wait=0',
      );
      return [{ who: `p${i}`, action, answer }];
    });
    const votes = (await Promise.all(jobs)).flat();
    raced.push({ runId: run.runId, agentId, cancelled: kind === 'cancel', votes });
  }

  it(`${RUNS} runs with ${PEOPLE} parallel approve, reject, cancel and expiry have one winner each`, async () => {
    const indexes = Array.from({ length: RUNS }, (_, i) => i).values();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const index of indexes) await race(index);
      }),
    );
    const tally: Record<string, number> = {};
    for (const { runId, agentId, votes, cancelled } of raced) {
      const { run } = await (ada[0] as Caller).read({ runId, agentId }, 60);
      assert.ok(
        ['COMPLETED', 'CANCELLED'].includes(run.status),
        `${run.status} ${run.error?.message}`,
      );
      const won = votes.filter((vote) => vote.answer.status < 300);
      const rows = await cluster.postgres.sql(
        `select action, deciders from decisions where run_id = '${runId}'`,
        cluster.databaseUrl,
      );
      assert.ok(rows.length <= 1 && won.length <= 1, `${won.length} winners`);
      const by = (rows[0]?.['deciders'] as string[] | undefined)?.[0];
      assert.equal(by === 'expiry' ? undefined : by, won[0]?.who);
      if (by === undefined)
        assert.ok(
          cancelled && run.status === 'CANCELLED',
          'nobody decided, so it was cancelled first',
        );
      tally[
        by === undefined ? 'cancel' : by === 'expiry' ? 'expiry' : String(rows[0]?.['action'])
      ] =
        (tally[
          by === undefined ? 'cancel' : by === 'expiry' ? 'expiry' : String(rows[0]?.['action'])
        ] ?? 0) + 1;
    }
    console.log(`      won: ${JSON.stringify(tally)}`);
    assert.equal(Object.keys(tally).length, 4, 'each kind of decision won at least once');
  });

  it('no effect is doubled, and none is forbidden', async () => {
    for (const { runId, agentId } of raced) {
      const { run } = await (ada[0] as Caller).read({ runId, agentId });
      const rows = await cluster.postgres.sql(
        `select action from decisions where run_id = '${runId}'`,
        cluster.databaseUrl,
      );
      const approved = rows[0]?.['action'] === 'APPROVE';
      const count = deliveriesOf(cluster.stage, runId).length;
      assert.ok(count <= (approved ? 1 : 0), `${count} deliveries of ${runId}`);
      if (approved && run.status === 'COMPLETED') assert.equal(count, 1);
    }
  });

  it('losers get the name of the winner', () => {
    for (const { runId, votes } of raced) {
      const winner = votes.find((vote) => vote.answer.status < 300);
      for (const { who, answer } of votes.filter((vote) => vote !== winner)) {
        assert.equal(
          answer.status,
          409,
          `${who} of ${runId}: ${answer.run.code} ${answer.run.detail}`,
        );
        if (winner !== undefined)
          assert.match(String(answer.run.detail), new RegExp(`by ${winner.who} at `));
        else assert.match(String(answer.run.detail), /by expiry at |The run is CANCELLED/);
      }
    }
  });
});
