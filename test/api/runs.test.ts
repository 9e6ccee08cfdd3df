import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { RUN_ID } from '../../src/contract/names.ts';
import { RunResponseSchema } from '../../src/contract/run.ts';
import { StoreUnavailableError, type Store } from '../../src/store/database/access.ts';
import { newOrg, sharedStore, startApiRig, UNKNOWN_RUN, type ApiRig } from './api-rig.ts';
import { until } from '../rig/wait.ts';
import { bare, isProblem } from './problems.ts';

describe('the runs of an agent', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const anyone = (): ReturnType<ApiRig['as']> => api.as('ada', { org: newOrg() });

  it('a message comes back answered: 200, the whole record, Content-Location', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const r = await ada.run('guard', 'answer me');
    assert.equal(r.status, 200, r.text);
    const run = RunResponseSchema.parse(r.json);
    assert.match(run.runId, RUN_ID);
    assert.equal(r.headers['content-location'], `/api/agents/guard/runs/${run.runId}`);
    assert.deepEqual(
      { ...run, runId: '', sessionId: '', createdAt: '', updatedAt: '' },
      {
        ...{
          runId: '',
          sessionId: '',
          agentId: 'guard',
          userId: 'ada',
          orgId: org,
          status: 'COMPLETED',
          input: 'answer me',
        },
        ...{
          content: 'The answer.',
          output: 'The answer.',
          tools: [],
          reasoningSteps: ['Turn 1: I think.'],
          createdAt: '',
          updatedAt: '',
        },
        metadata: {
          model: 'gpt-4o',
          promptTokens: 10,
          completionTokens: 2,
          totalTokens: 12,
          finishReason: 'stop',
          agentRevision: 'rev-guard',
        },
      },
    );
    for (const tail of ['', '/status', '?wait=5']) {
      const again = await ada.read('guard', run.runId, tail);
      assert.equal(again.status, 200);
      assert.deepEqual(again.json, r.json, tail);
    }
  });

  it('a guarded call answers PAUSED with the call in pending, and goes on after the vote under the same id', async () => {
    const ada = anyone();
    const paused = await ada.run('guard', 'pause: send_email');
    assert.equal(paused.status, 200, paused.text);
    const { pending, pauseId, runId, content } = RunResponseSchema.parse(paused.json);
    assert.equal(paused.json.status, 'PAUSED');
    assert.equal(content, '');
    assert.equal(pending?.length, 1);
    const { callId, argumentsHash, requestedAt, ...call } = pending[0] ?? assert.fail();
    assert.deepEqual(call, {
      ...{
        kind: 'APPROVAL',
        name: 'send_email',
        arguments: { to: 'ada', turn: 1 },
        description: 'Does send_email.',
        risk: 'normal',
      },
      ...{ expiresAt: null, votesNeeded: 1, votes: [], earlier: [] },
      ...{ approvers: null, fourEyes: false, youMay: true, modelText: 'Turn 1: I look.' },
    });
    assert.match(argumentsHash, /^[0-9a-f]{64}$/);
    assert.ok(Date.parse(requestedAt) <= Date.now() && pauseId !== undefined);
    assert.deepEqual(paused.json.reasoningSteps, ['Turn 1: I think.', 'Turn 1: I look.']);

    const done = await ada.decide('guard', runId, { action: 'APPROVE', reason: 'fine' });
    assert.equal(done.status, 200, done.text);
    const run = RunResponseSchema.parse(done.json);
    assert.equal(run.status, 'COMPLETED');
    assert.equal(run.runId, runId);
    assert.equal(run.pending, undefined);
    assert.equal(run.metadata.totalTokens, 24);
    const { decision, durationMs, ...entry } = run.tools[0] ?? assert.fail();
    assert.deepEqual(entry, {
      callId,
      name: 'send_email',
      arguments: { to: 'ada', turn: 1 },
      result: 'sent',
      isError: false,
    });
    assert.ok(durationMs >= 0);
    assert.deepEqual(
      { ...decision, at: '' },
      { action: 'APPROVE', by: ['ada'], at: '', reason: 'fine' },
    );
  });

  it('background answers at once with QUEUED and where to look', async () => {
    const ada = anyone();
    const r = await ada.call('POST', '/api/agents/guard/runs/background', {
      body: { message: 'answer me' },
    });
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(r.json, {
      runId: r.json.runId,
      sessionId: r.json.sessionId,
      status: 'QUEUED',
    });
    assert.equal(r.headers.location, `/api/agents/guard/runs/${r.json.runId}`);
    const end = await ada.read('guard', r.json.runId, '?wait=10');
    assert.equal(end.json.status, 'COMPLETED');
  });

  it('Prefer: wait and respond-async answer 202 in time with Location and Retry-After; malformed ones are ignored', async () => {
    const ada = anyone();
    for (const [prefer, applied, least, most] of [
      ['respond-async', 'respond-async', 0, 900],
      ['wait=0', 'wait=0', 0, 900],
      ['wait=1', 'wait=1', 950, 2500],
      ['respond-async, wait=1', 'respond-async, wait=1', 950, 2500],
    ] as const) {
      const t0 = performance.now();
      const r = await ada.run('guard', 'stay', {}, { prefer });
      const ms = performance.now() - t0;
      assert.equal(r.status, 202, prefer);
      assert.ok(ms >= least && ms < most, `${prefer}: ${ms} ms`);
      assert.equal(r.headers['preference-applied'], applied);
      assert.equal(r.headers.location, `/api/agents/guard/runs/${r.json.runId}`);
      assert.ok(Number(r.headers['retry-after']) >= 0);
      assert.equal(r.json.status, 'QUEUED');
      assert.equal(r.headers['content-location'], undefined);
    }
    for (const prefer of [
      'wait=abc',
      'wait=-1',
      ';;;',
      'handling=strict',
      'wait=99999999',
      'constructor, __proto__=1',
    ])
      assert.equal((await ada.run('guard', 'answer', {}, { prefer })).status, 200, prefer);
  });

  it('Temporal out of reach: 202 as soon as that is known, and the run is kept', async () => {
    const ada = anyone();
    const t0 = performance.now();
    const r = await ada.run('guard', 'away');
    assert.equal(r.status, 202);
    assert.ok(performance.now() - t0 < 5000, 'not after the whole wait');
    assert.equal((await ada.read('guard', r.json.runId)).json.status, 'QUEUED');
  });

  it('?wait joins a run until it settles, or comes back in time; odd values are 400 before the run is looked up', async () => {
    const ada = anyone();
    const started = await ada.run('guard', 'stay', {}, { prefer: 'respond-async' });
    const { runId } = started.json;
    const t0 = performance.now();
    assert.equal((await ada.read('guard', runId, '?wait=1')).json.status, 'QUEUED');
    assert.ok(performance.now() - t0 > 950);
    const joined = [
      ada.read('guard', runId, '?wait=15'),
      ada.read('guard', runId, '/status?wait=15'),
    ];
    await api.runs.complete(runId, 1);
    for (const r of await Promise.all(joined)) assert.equal(r.json.status, 'COMPLETED');
    for (const query of [
      '?wait=abc',
      '?wait=-1',
      '?wait=21',
      '?wait=',
      '?wait=1.5',
      '?wait=1&wait=2',
      '?wait=1;2',
    ])
      assert.match(
        isProblem(await ada.read('guard', UNKNOWN_RUN, query), 400, 'INVALID_REQUEST').text,
        /wait/,
      );
    assert.match(
      isProblem(await ada.read('guard', UNKNOWN_RUN, '?colour=1'), 400, 'INVALID_REQUEST').text,
      /colour/,
    );
  });

  it('fifty who wait for one run read it once when it ends', async () => {
    const real = await sharedStore();
    const waiting = new Set<object>();
    let reads = 0;
    const watch: Store['announcer']['watch'] = (runId) => {
      const made = real.announcer.watch(runId);
      return { ...made, changed: (signal) => (waiting.add(made), made.changed(signal)) };
    };
    const asOrg: Store['asOrg'] = (orgId, work) => (reads++, real.asOrg(orgId, work));
    const counted = await startApiRig({
      store: { ...real, asOrg, announcer: { ...real.announcer, watch } },
    });
    const ada = counted.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
    const joined = Array.from({ length: 50 }, () => ada.read('guard', runId, '?wait=15'));
    await until('all wait', () => waiting.size === 50);
    reads = 0;
    await api.runs.complete(runId, 1);
    for (const r of await Promise.all(joined)) assert.equal(r.json.status, 'COMPLETED');
    assert.ok(reads <= 2, `${reads} reads`);
    await counted.close();
  });

  it('a client that leaves neither cancels nor loses its run, and its watch is let go', async () => {
    const real = await sharedStore();
    let open = 0;
    const watch: Store['announcer']['watch'] = (runId) => {
      const made = real.announcer.watch(runId);
      open++;
      return { ...made, close: () => (open--, made.close()) };
    };
    const counted = await startApiRig({
      store: { ...real, announcer: { ...real.announcer, watch } },
    });
    const ada = counted.as('ada', { org: newOrg() });
    const leaving = new AbortController();
    const sessionId = randomUUID();
    const gone = ada.call('POST', '/api/agents/guard/runs', {
      body: { message: 'stay', sessionId },
      signal: leaving.signal,
    });
    const runId = await idOfSession(api.store, sessionId);
    await until('the watch is there', () => open === 1);
    leaving.abort();
    await assert.rejects(gone);
    await until('the watch is let go', () => open === 0);
    assert.equal((await ada.read('guard', runId)).json.status, 'QUEUED');
    await api.runs.complete(runId, 1);
    assert.equal((await ada.read('guard', runId)).json.status, 'COMPLETED');
    await counted.close();
  });

  it('a start behind a run that pauses is answered 202 QUEUED at once; on the paused session 409 names the run', async () => {
    const ada = anyone();
    const sessionId = randomUUID();
    const first = await ada.run('guard', 'stay', { sessionId }, { prefer: 'respond-async' });
    const second = ada.run('guard', 'second', { sessionId });
    await idOfSession(api.store, sessionId, 2);
    const calls = await api.runs.ask(first.json.runId, 1, ['send_email']);
    await api.runs.pause(first.json.runId, 1, 1, 'APPROVAL', calls);
    const t0 = performance.now();
    const r = await second;
    assert.equal(r.status, 202, r.text);
    assert.ok(performance.now() - t0 < 5000, 'not after the whole wait');
    assert.equal(r.json.status, 'QUEUED');
    assert.match(
      isProblem(await ada.run('guard', 'third', { sessionId }), 409, 'SESSION_PAUSED').text,
      new RegExp(first.json.runId),
    );
  });

  it('a session goes on with its agent only, and is somebody else’s own under another user', async () => {
    const org = newOrg();
    const sessionId = randomUUID();
    const r = await api
      .as('ada', { org })
      .run('guard', 'answer', { sessionId: sessionId.toUpperCase() });
    assert.equal(r.json.sessionId, sessionId);
    isProblem(
      await api.as('ada', { org }).run('other', 'answer', { sessionId }),
      409,
      'SESSION_OF_OTHER_AGENT',
    );
    assert.equal((await api.as('bob', { org }).run('other', 'answer', { sessionId })).status, 200);
  });

  it('what an agent, its org or its models do not allow is refused before anything is started', async () => {
    const ada = anyone();
    isProblem(await ada.run('none', 'answer'), 404, 'NOT_FOUND');
    assert.equal(bare(await ada.run('zeta_only', 'answer')), bare(await ada.run('none', 'answer')));
    isProblem(await ada.run('asleep', 'answer'), 409, 'AGENT_INACTIVE');
    assert.match(
      isProblem(
        await ada.run('guard', 'answer', { options: { model: 'gpt-x' } }),
        400,
        'INVALID_REQUEST',
      ).text,
      /options\.model/,
    );
    assert.match(
      isProblem(
        await ada.run('guard', 'answer', { media: [{ type: 'image/png', data: 'AA==' }] }),
        400,
        'INVALID_REQUEST',
      ).text,
      /media.*vision/,
    );
    isProblem(await ada.run('guard', 'answer', { orgId: 'elsewhere' }), 403, 'FORBIDDEN');
    const r = isProblem(
      await ada.run('guard', 'answer', { userId: 'bob' }),
      403,
      'INSUFFICIENT_SCOPE',
    );
    assert.equal(
      r.headers['www-authenticate'],
      'Bearer error="insufficient_scope", scope="runs:impersonate"',
    );
    assert.equal(
      (
        await ada.run('guard', 'answer', {
          media: [],
          generateFollowups: false,
          options: { model: 'gpt-4o-mini' },
        })
      ).status,
      200,
    );
  });

  it('a draining server answers waiting callers 202', async () => {
    const draining = await startApiRig();
    const org = newOrg();
    const sessionId = randomUUID();
    const waiting = draining.as('ada', { org }).run('guard', 'stay', { sessionId });
    const runId = await idOfSession(draining.store, sessionId);
    const joined = draining.as('ada', { org }).read('guard', runId, '?wait=15');
    draining.drain();
    assert.equal((await waiting).status, 202);
    assert.equal((await joined).json.status, 'QUEUED');
    await draining.close();
  });

  it('a database that is away before the commit is 503; an unsettled commit names the run; after the commit it is 202', async () => {
    const real = await sharedStore();
    let fails: (n: number) => StoreUnavailableError | undefined = () => undefined;
    let n = 0;
    const asOrg: Store['asOrg'] = async (org, work) => {
      const error = fails(++n);
      if (error !== undefined) throw error;
      return real.asOrg(org, work);
    };
    const broken = await startApiRig({ store: { ...real, asOrg }, send: async () => true });
    const ada = broken.as('ada', { org: newOrg() });
    const attempt = (how: typeof fails): ReturnType<typeof ada.run> => {
      n = 0;
      fails = how;
      return ada.run('guard', 'stay', {}, { prefer: 'wait=1' });
    };
    const lost = (uncertain: boolean): StoreUnavailableError =>
      new StoreUnavailableError(uncertain, false, new Error('ECONNREFUSED 10.0.0.1'));
    const before = isProblem(await attempt(() => lost(false)), 503, 'UNAVAILABLE');
    assert.equal(before.json.runId, undefined);
    assert.match(isProblem(await attempt(() => lost(true)), 503, 'UNAVAILABLE').json.runId, RUN_ID);
    const after = await attempt((count) => (count > 1 ? lost(false) : undefined));
    assert.equal(after.status, 202, after.text);
    fails = () => undefined;
    assert.equal((await ada.read('guard', after.json.runId)).json.status, 'QUEUED');
    await broken.close();
  });
});

/** The id of a session's nth run, as soon as it is committed. */
async function idOfSession(store: Store, sessionId: string, nth = 1): Promise<string> {
  for (;;) {
    const { rows } = await store.asWorker((tx) =>
      sql<{
        run_id: string;
      }>`select run_id from runs where session_id = ${sessionId} and session_seq = ${nth}`.execute(
        tx.db,
      ),
    );
    if (rows[0] !== undefined) return rows[0].run_id;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
