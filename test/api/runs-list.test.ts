import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { RunPageSchema } from '../../src/contract/lists.ts';
import { newOrg, startApiRig, type ApiRig, type Caller, type Json } from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('the list of runs', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const at = (runId: string, time: string) =>
    api.store.asWorker((tx) =>
      sql`update runs set created_at = ${time}::timestamptz where run_id = ${runId}`.execute(tx.db),
    );
  const ids = async (caller: Caller, query = ''): Promise<string[]> => {
    const r = await caller.call('GET', `/api/runs?limit=100${query}`);
    assert.equal(r.status, 200, r.text);
    return RunPageSchema.parse(r.json).data.map((run) => run.runId);
  };
  const runOf = async (
    caller: Caller,
    agentId = 'guard',
    message = 'answer',
    more = {},
  ): Promise<string> => (await caller.run(agentId, message, more)).json.runId;

  it('newest first, each item the whole record as it is read by itself', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const made = [await runOf(ada), await runOf(ada, 'guard', 'pause'), await runOf(ada, 'other')];
    const { data, hasMore, nextCursor } = (await ada.call('GET', '/api/runs')).json;
    assert.deepEqual(
      [data.map((r: Json) => r.runId), hasMore, nextCursor],
      [made.toReversed(), false, null],
    );
    for (const run of data) assert.deepEqual(run, (await ada.read(run.agentId, run.runId)).json);
  });

  it('filters combine', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org, scope: 'runs:write runs:read runs:approve runs:impersonate' });
    const sessionId = randomUUID();
    const one = await runOf(ada, 'guard', 'answer', { sessionId });
    const two = await runOf(ada, 'guard', 'pause', { sessionId });
    const mia = await runOf(ada, 'guard', 'pause', { userId: 'mia' });
    const other = await runOf(ada, 'other');
    for (const [query, expected] of [
      [`&sessionId=${sessionId}`, [two, one]],
      [`&sessionId=${sessionId.toUpperCase()}&status=PAUSED`, [two]],
      ['&status=PAUSED', [mia, two]],
      ['&status=PAUSED&userId=mia', [mia]],
      ['&agentId=other', [other]],
      ['&agentId=other&userId=mia', []],
      ['&agentId=nobody', []],
      [`&sessionId=${randomUUID()}`, []],
    ] as const)
      assert.deepEqual(await ids(ada, query), expected, query);
  });

  it('from and to cut by time: from inclusive, to exclusive, a date is its whole day in UTC', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const [a, b, c] = [await runOf(ada), await runOf(ada), await runOf(ada)];
    await at(a, '2026-01-01T23:59:59.999Z');
    await at(b, '2026-01-02T00:00:00Z');
    await at(c, '2026-01-02T23:59:59.999Z');
    for (const [query, expected] of [
      ['&from=2026-01-02', [c, b]],
      ['&to=2026-01-01', [a]],
      ['&from=2026-01-02&to=2026-01-02', [c, b]],
      ['&to=2026-01-02T00:00:00Z', [a]],
      [`&from=${encodeURIComponent('2026-01-02T02:00:00+02:00')}`, [c, b]],
      ['&from=2026-01-02T23:59:59.999Z', [c]],
      ['&from=2026-01-02T23:59:59.999Z&to=2026-01-02T23:59:59.999Z', []],
      ['&from=0000-01-01&to=9999-12-31', [c, b, a]],
    ] as const)
      assert.deepEqual(await ids(ada, query), expected, query);
  });

  it('a caller that was cut off finds its run by the request’s id', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const { runId } = (await ada.run('guard', 'answer', {}, { 'x-request-id': 'req-of-mine' }))
      .json;
    await runOf(ada);
    assert.deepEqual(await ids(ada, '&requestId=req-of-mine'), [runId]);
    assert.deepEqual(
      await ids(api.as('bob', { org }), '&requestId=req-of-mine'),
      [],
      'not another’s',
    );
  });

  it('shows what the caller may see and nothing else', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const plain = await runOf(ada);
    const waiting = await runOf(ada, 'lea_only', 'pause');
    const lea = api.as('lea', { org });
    const expected: [Caller, string[]][] = [
      [ada, [waiting, plain]],
      [lea, [waiting]],
      [api.as('lea', { org, scope: 'runs:read' }), []],
      [api.as('bob', { org }), []],
      [api.as('root', { org, scope: 'runs:read admin' }), [waiting, plain]],
      [api.as('root', { org: newOrg(), scope: 'runs:read admin' }), []],
    ];
    for (const [caller, runs] of expected) assert.deepEqual(await ids(caller), runs);
    isProblem(
      await api.as('root', { org, scope: 'admin' }).call('GET', '/api/runs'),
      403,
      'INSUFFICIENT_SCOPE',
    );
    assert.deepEqual(await ids(api.as('bob', { org }), '&userId=ada'), []);
  });

  it('what cannot be read is 400 and named', async () => {
    const ada = api.as('ada', { org: newOrg() });
    for (const query of [
      ...[
        'limit=0',
        'limit=101',
        'limit=-3',
        'limit=abc',
        'limit=1.5',
        'limit=%2010',
        'limit=1&limit=2',
        'limit=',
      ],
      ...['from=yesterday', 'to=2026-13-01', 'from=2026-01-01T00:00:00', 'from=2026-02-30', 'to='],
      ...[
        'status=DONE',
        'status=paused',
        'sessionId=mine',
        'userId=a%00b',
        'agentId=a%00b',
        'requestId=%E2%80%94',
      ],
      ...[
        'after=',
        'after=%00broken',
        'after=!!!',
        'after=bm9uc2Vuc2U',
        'colour=red',
        '__proto__=1',
      ],
    ]) {
      const name = query.split('=')[0] ?? '';
      const r = isProblem(await ada.call('GET', `/api/runs?${query}`), 400, 'INVALID_REQUEST');
      assert.ok(
        r.json.errors.some((e: Json) => e.path === name),
        `${query}: ${r.text}`,
      );
    }
    assert.equal((await ada.call('GET', '/api/runs?limit=100')).status, 200);
  });

  it('a cursor of another list, or one that was changed, is not readable', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    for (const message of ['pause', 'pause']) await runOf(ada, 'guard', message);
    const cursor = async (list: string): Promise<string> =>
      (await ada.call('GET', `${list}?limit=1`)).json.nextCursor;
    const [runs, approvals, sessions] = [
      await cursor('/api/runs'),
      await cursor('/api/approvals'),
      await cursor('/api/sessions'),
    ];
    for (const [list, good] of [
      ['/api/runs', runs],
      ['/api/approvals', approvals],
      ['/api/sessions', sessions],
    ] as const)
      for (const text of [
        runs,
        approvals,
        sessions,
        `${good}=`,
        `${good}A`,
        good.slice(1),
        `${good}%0A`,
      ])
        assert.equal(
          (await ada.call('GET', `${list}?after=${text}`)).status,
          text === good ? 200 : 400,
          `${list} ${text}`,
        );
    const forged = Buffer.from(JSON.stringify(['runs', 1e18, 'run_x'])).toString('base64url');
    isProblem(await ada.call('GET', `/api/runs?after=${forged}`), 400, 'INVALID_REQUEST');
  });

  it('the Link header leads through the pages with the filters it began with', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const made = [await runOf(ada), await runOf(ada, 'other'), await runOf(ada), await runOf(ada)];
    const seen: string[] = [];
    for (let path = '/api/runs?limit=2&agentId=guard&from=2020-01-01'; path !== '';) {
      const r = await ada.call('GET', path);
      seen.push(...r.json.data.map((run: Json) => run.runId));
      const link = r.headers['link'];
      assert.equal(r.json.hasMore, link !== undefined);
      path =
        typeof link === 'string'
          ? (/^<([^>]+)>; rel="next"$/.exec(link)?.[1] ?? assert.fail(link))
          : '';
    }
    assert.deepEqual(seen, [made[3], made[2], made[0]]);
  });

  it('pages show each run that was there once and in order, whatever comes in between, equal times included', async function () {
    this.timeout(120_000);
    const seed = Number(process.env['HOLDPOINT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const TIMES = ['2026-03-01T00:00:00.001Z', '2026-03-01T00:00:00.002Z', '2026-03-01T00:00:01Z'];
    const time = fc.constantFrom(...TIMES);
    const pageSteps = fc.array(
      fc.record({ limit: fc.integer({ min: 1, max: 3 }), insert: fc.option(time) }),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    const property = fc.asyncProperty(
      fc.array(time, { minLength: 1, maxLength: 7 }),
      pageSteps,
      async (times, steps) => {
        const ada = api.as('ada', { org: newOrg() });
        const insert = async (when: string): Promise<{ runId: string; when: string }> => {
          const r = await ada.call('POST', '/api/agents/guard/runs/background', {
            body: { message: 'stay' },
          });
          await at(r.json.runId, when);
          return { runId: r.json.runId, when };
        };
        const there = [];
        for (const when of times) there.push(await insert(when));
        const expected = there
          .toSorted((a, b) => (b.when + b.runId < a.when + a.runId ? -1 : 1))
          .map((run) => run.runId);
        const seen: string[] = [];
        let after = '';
        for (let i = 0; ; i++) {
          const step = steps[i % steps.length];
          const page = (await ada.call('GET', `/api/runs?limit=${step?.limit ?? 1}${after}`)).json;
          seen.push(...page.data.map((run: Json) => run.runId));
          if (!page.hasMore) break;
          assert.equal(page.data.length, step?.limit);
          after = `&after=${page.nextCursor}`;
          if (step?.insert && i < steps.length) await insert(step.insert);
        }
        assert.equal(new Set(seen).size, seen.length, 'nothing twice');
        assert.deepEqual(
          seen.filter((id) => expected.includes(id)),
          expected,
        );
      },
    );
    await fc.assert(property, { seed, numRuns: process.env['HOLDPOINT_FULL'] ? 200 : 25 });
    console.log(`      seed ${seed}`);
  });
});
