import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { UsageSchema } from '../../src/contract/lists.ts';
import { newOrg, startApiRig, type ApiRig, type Caller, type Json } from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('usage', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const usage = async (caller: Caller, query = ''): Promise<Json> => {
    const r = await caller.call('GET', `/api/usage${query}`);
    assert.equal(r.status, 200, r.text);
    return UsageSchema.parse(r.json);
  };
  const change = (runId: string, at: string, activeMs: number) =>
    api.store.asWorker((tx) =>
      sql`update runs set created_at = ${at}::timestamptz, active_ms = ${activeMs} where run_id = ${runId}`.execute(
        tx.db,
      ),
    );

  it('runs, tokens and time by day in UTC, of oneself, of the org with admin, by user and agent', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const made = [
      (await ada.run('guard', 'answer')).json,
      (await ada.run('other', 'answer')).json,
      (await ada.run('guard', 'pause')).json,
    ];
    const bob = (await api.as('bob', { org }).run('guard', 'answer')).json;
    await change(made[0].runId, '2026-02-01T23:59:59.999Z', 5);
    await change(made[1].runId, '2026-02-02T00:00:00Z', 7);
    await change(made[2].runId, '2026-02-02T12:00:00Z', 11);
    await change(bob.runId, '2026-02-02T13:00:00Z', 13);
    const day = (date: string, runs: number, activeMs: number): object => ({
      ...{
        date,
        runs,
        promptTokens: runs * 10,
        completionTokens: runs * 2,
        totalTokens: runs * 12,
        activeMs,
      },
    });
    const range = '?from=2026-02-01&to=2026-02-02';
    const mine = await usage(ada, range);
    assert.deepEqual(mine.data, [day('2026-02-01', 1, 5), day('2026-02-02', 2, 18)]);
    assert.deepEqual({ date: 'x', ...mine.totals }, day('x', 3, 23));
    assert.deepEqual(
      [mine.from, mine.to],
      ['2026-02-01T00:00:00.000Z', '2026-02-03T00:00:00.000Z'],
    );
    const root = api.as('root', { org, scope: 'runs:read admin' });
    assert.deepEqual((await usage(root, range)).data, [
      day('2026-02-01', 1, 5),
      day('2026-02-02', 3, 31),
    ]);
    assert.deepEqual((await usage(root, `${range}&userId=bob`)).data, [day('2026-02-02', 1, 13)]);
    assert.deepEqual((await usage(ada, `${range}&agentId=other`)).data, [day('2026-02-02', 1, 7)]);
    assert.deepEqual(
      (await usage(ada, `${range}&userId=bob`)).data,
      [],
      'not another’s without admin',
    );
    assert.deepEqual(
      (await usage(ada, '?from=2026-02-02T00:00:00Z&to=2026-02-02T12:00:00Z')).data,
      [day('2026-02-02', 1, 7)],
    );
  });

  it('without from and to it is the last thirty days, today included', async () => {
    const ada = api.as('ada', { org: newOrg() });
    await ada.run('guard', 'answer');
    const { from, to, data, totals } = await usage(ada);
    assert.deepEqual([data.length, totals.runs], [1, 1]);
    assert.equal(Date.parse(to) - Date.parse(from), 30 * 86_400_000);
    assert.equal(new Date(Date.parse(to) - 1).toISOString().slice(0, 10), data[0].date);
  });

  it('active time is written when a run settles, and leaves out what it waited for people', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
    await api.runs.complete(runId, 1);
    await api.store.asWorker((tx) =>
      sql`update attempts set started_at = ended_at - interval '1500 milliseconds' where run_id = ${runId}`.execute(
        tx.db,
      ),
    );
    const again = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json.runId;
    await api.runs.ask(again, 1, ['send_email']);
    await api.store.asWorker((tx) =>
      sql`update attempts set started_at = ended_at - interval '2500 milliseconds' where run_id = ${again}`.execute(
        tx.db,
      ),
    );
    await ada.call('DELETE', `/api/agents/guard/runs/${again}`);
    const { totals } = await usage(ada);
    assert.ok(totals.activeMs >= 2500 && totals.activeMs < 3500, `${totals.activeMs}`);
  });

  it('what cannot be read is 400 and named', async () => {
    const ada = api.as('ada', { org: newOrg() });
    for (const query of ['from=yesterday', 'to=abc', 'userId=%20', 'limit=3', 'colour=red'])
      assert.match(
        isProblem(await ada.call('GET', `/api/usage?${query}`), 400, 'INVALID_REQUEST').text,
        new RegExp(query.split('=')[0] ?? ''),
      );
  });
});
