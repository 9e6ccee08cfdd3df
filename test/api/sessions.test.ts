import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { ConversationSchema, RunPageSchema, SessionPageSchema } from '../../src/contract/lists.ts';
import {
  newOrg,
  startApiRig,
  type ApiRig,
  type Caller,
  type CallerClaims,
  type Json,
} from './api-rig.ts';
import { bare, isProblem } from './problems.ts';

const IMPERSONATE = 'runs:write runs:read runs:approve runs:cancel runs:impersonate';

describe('sessions', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const list = async (caller: Caller, query = ''): Promise<string[]> => {
    const r = await caller.call('GET', `/api/sessions?limit=100${query}`);
    assert.equal(r.status, 200, r.text);
    return SessionPageSchema.parse(r.json).data.map((s) => s.sessionId);
  };
  const read = (caller: Caller, id: string, tail = '') =>
    caller.call('GET', `/api/sessions/${id}${tail}`);
  const messages = async (caller: Caller, id: string): Promise<string[]> => {
    const r = await read(caller, id);
    assert.equal(r.status, 200, r.text);
    return ConversationSchema.parse(r.json).messages.map((m) => `${m.role}: ${m.content}`);
  };
  const answered = (question: string): string[] => [`user: ${question}`, 'assistant: The answer.'];
  const org1 = (): ((user: string, claims?: CallerClaims) => Caller) => {
    const org = newOrg();
    return (user, claims = {}) => api.as(user, { org, ...claims });
  };

  it('are listed newest first, read with the messages of completed exchanges in order, and have their runs', async () => {
    const as = org1();
    const ada = as('ada');
    const [s1, s2] = [randomUUID(), randomUUID()];
    const one = (await ada.run('guard', 'answer one', { sessionId: s1 })).json;
    await ada.run('other', 'answer', { sessionId: s2 });
    const cancelled = (await ada.run('guard', 'pause', { sessionId: s1 })).json;
    await ada.call('DELETE', `/api/agents/guard/runs/${cancelled.runId}`);
    const two = (await ada.run('guard', 'answer two', { sessionId: s1 })).json;

    assert.deepEqual(await list(ada), [s2, s1]);
    assert.deepEqual(await list(ada, '&agentId=guard'), [s1]);
    assert.deepEqual(await list(ada, '&userId=mia'), []);
    const session = (await read(ada, s1)).json;
    assert.deepEqual(
      [session.sessionId, session.agentId, session.userId, session.runCount],
      [s1, 'guard', 'ada', 3],
    );
    assert.deepEqual(
      session.messages.map((m: Json) => [m.role, m.content, m.runId]),
      [one, two].flatMap((run) => [
        ['user', run.input, run.runId],
        ['assistant', 'The answer.', run.runId],
      ]),
    );
    const runs = RunPageSchema.parse((await read(ada, s1, '/runs')).json);
    assert.deepEqual(
      runs.data.map((r) => r.runId),
      [two.runId, cancelled.runId, one.runId],
    );
    const first = await read(ada, s1, '/runs?limit=2');
    assert.match(
      String(first.headers['link']),
      new RegExp(`^</api/sessions/${s1}/runs\\?limit=2&after=`),
    );
    const rest = await read(ada, s1, `/runs?limit=2&after=${first.json.nextCursor}`);
    assert.deepEqual([rest.json.data[0].runId, rest.json.hasMore], [one.runId, false]);
  });

  it('pages of sessions go on where they ended', async () => {
    const ada = org1()('ada');
    for (let i = 0; i < 5; i++) await ada.run('guard', 'answer');
    const all = await list(ada);
    const seen: string[] = [];
    for (let after = ''; ;) {
      const { json } = await ada.call('GET', `/api/sessions?limit=2${after}`);
      seen.push(...json.data.map((s: Json) => s.sessionId));
      if (!json.hasMore) break;
      if (after === '') await ada.run('guard', 'answer');
      after = `&after=${json.nextCursor}`;
    }
    assert.deepEqual(seen, all);
  });

  it('one that is not the caller’s answers byte for byte as an unknown one', async () => {
    const as = org1();
    const { sessionId } = (await as('ada').run('guard', 'answer')).json;
    for (const eve of [as('bob'), api.as('root', { org: newOrg(), scope: `${IMPERSONATE} admin` })])
      for (const tail of ['', '/runs', '?userId=ada']) {
        const unknown = isProblem(await read(eve, randomUUID(), tail), 404, 'NOT_FOUND');
        assert.equal(bare(await read(eve, sessionId, tail)), bare(unknown));
        assert.equal(bare(await read(eve, 'nonsense', tail)), bare(unknown));
        assert.equal((await eve.call('DELETE', `/api/sessions/${sessionId}`)).status, 204);
      }
    assert.equal((await read(as('ada'), sessionId)).status, 200);
    assert.deepEqual(await list(as('bob')), []);
    isProblem(await read(as('ada', { scope: 'runs:write' }), sessionId), 403, 'INSUFFICIENT_SCOPE');
    isProblem(
      await as('ada', { scope: 'runs:read admin' }).call('DELETE', `/api/sessions/${sessionId}`),
      403,
      'INSUFFICIENT_SCOPE',
    );
  });

  it('who decides about a run sees the conversation that led there, and not what came after', async () => {
    const as = org1();
    const ada = as('ada');
    const sessionId = randomUUID();
    const say = async (message: string): Promise<Json> =>
      (await ada.run('lea_only', message, { sessionId })).json;
    await say('answer one');
    const asked = await say('pause');
    const lea = as('lea');
    assert.deepEqual(await messages(lea, sessionId), answered('answer one'), 'while it waits');
    isProblem(await read(as('lea', { scope: 'runs:read' }), sessionId), 404, 'NOT_FOUND');
    await lea.decide('lea_only', asked.runId, { action: 'APPROVE' });
    await say('answer three');
    assert.deepEqual(await messages(lea, sessionId), [
      ...answered('answer one'),
      ...answered('pause'),
    ]);
    assert.deepEqual(
      await messages(ada, sessionId),
      ['answer one', 'pause', 'answer three'].flatMap(answered),
    );
    assert.deepEqual(
      await messages(as('root', { scope: 'runs:read admin' }), sessionId),
      await messages(ada, sessionId),
    );
    assert.deepEqual(await list(lea), [sessionId]);
    assert.deepEqual(
      (await read(lea, sessionId, '/runs')).json.data.map((r: Json) => r.runId),
      [asked.runId],
      'runs: those that she sees',
    );
    isProblem(await lea.call('DELETE', `/api/sessions/${sessionId}`), 403, 'FORBIDDEN');
  });

  it('who started a run for somebody sees that exchange; its user sees the session', async () => {
    const as = org1();
    const sessionId = randomUUID();
    await as('mia').run('guard', 'answer mine', { sessionId });
    await as('ada', { scope: IMPERSONATE }).run('guard', 'answer for mia', {
      sessionId,
      userId: 'mia',
    });
    assert.deepEqual(await messages(as('ada'), sessionId), answered('answer for mia'));
    assert.deepEqual(await messages(as('mia'), sessionId), [
      ...answered('answer mine'),
      ...answered('answer for mia'),
    ]);
  });

  it('two users may have the same id: one’s own is meant, or the named one’s', async () => {
    const as = org1();
    const sessionId = randomUUID();
    await as('ada').run('guard', 'answer ada', { sessionId });
    await as('root', { scope: `${IMPERSONATE} admin` }).run('guard', 'answer root', { sessionId });
    const root = as('root', { scope: `${IMPERSONATE} admin` });
    assert.deepEqual(await messages(root, sessionId), answered('answer root'));
    assert.deepEqual(await messages(root, `${sessionId}?userId=ada`), answered('answer ada'));
    assert.equal((await read(root, sessionId, '/runs?userId=ada')).json.data.length, 1);
    assert.equal((await root.call('DELETE', `/api/sessions/${sessionId}?userId=ada`)).status, 204);
    assert.deepEqual(await messages(root, sessionId), answered('answer root'));
    isProblem(await read(as('ada'), sessionId), 404, 'NOT_FOUND');
  });

  it('deleting takes every message with it and keeps the audit lines; again, or of an unknown one, it is 204 too', async () => {
    const ada = org1()('ada');
    const run = (await ada.run('guard', 'pause')).json;
    await ada.decide('guard', run.runId, { action: 'APPROVE' });
    const count = async (table: string): Promise<number> =>
      (
        await api.store.asWorker((u) =>
          sql<{
            n: number;
          }>`select count(*) n from ${sql.table(table)} where run_id = ${run.runId}`.execute(u.db),
        )
      ).rows[0]?.n ?? -1;
    const audited = await count('audit');
    for (let i = 0; i < 2; i++)
      assert.equal((await ada.call('DELETE', `/api/sessions/${run.sessionId}`)).status, 204);
    for (const id of [randomUUID(), 'nonsense'])
      assert.equal((await ada.call('DELETE', `/api/sessions/${id}`)).status, 204);
    for (const table of [
      'runs',
      'turns',
      'attempts',
      'calls',
      'pauses',
      'votes',
      'decisions',
      'events',
      'deltas',
    ])
      assert.equal(await count(table), 0, table);
    assert.equal(await count('audit'), audited + 1, 'and one that says that it was deleted');
    isProblem(await read(ada, run.sessionId), 404, 'NOT_FOUND');
    isProblem(await ada.read('guard', run.runId), 404, 'NOT_FOUND');
    assert.equal(
      (await ada.run('guard', 'answer', { sessionId: run.sessionId })).json.status,
      'COMPLETED',
      'the id can be used anew',
    );
  });

  it('with runs that are not over it is 409 that names them, and nothing is deleted', async () => {
    const ada = org1()('ada');
    const sessionId = randomUUID();
    const done = (await ada.run('guard', 'answer', { sessionId })).json;
    const open = (await ada.run('guard', 'pause', { sessionId })).json;
    const r = isProblem(
      await ada.call('DELETE', `/api/sessions/${sessionId}`),
      409,
      'SESSION_HAS_OPEN_RUNS',
    );
    assert.ok(r.json.detail.includes(open.runId) && !r.json.detail.includes(done.runId));
    assert.equal((await ada.read('guard', done.runId)).status, 200);
    await ada.call('DELETE', `/api/agents/guard/runs/${open.runId}`);
    assert.equal((await ada.call('DELETE', `/api/sessions/${sessionId}`)).status, 204);
  });

  it('a key whose run was deleted with its session is 404 with how to go on, on every door, and starts nothing', async () => {
    const ada = org1()('ada');
    const keyed = { 'idempotency-key': 'k-1' };
    const post = (tail: string) =>
      ada.call('POST', `/api/agents/guard/runs${tail}`, {
        body: { message: 'answer' },
        headers: keyed,
      });
    for (const tail of ['', '/background']) {
      const { runId } = (await post(tail)).json;
      const { sessionId } = (await ada.read('guard', runId, '?wait=5')).json;
      await ada.call('DELETE', `/api/sessions/${sessionId}`);
      assert.match(
        isProblem(await post(tail), 404, 'NOT_FOUND').json.detail,
        /deleted with its session.*new key/,
      );
    }
    assert.deepEqual(await list(ada), []);
  });
});
