// Tenants: every id of another org, and of another user's, at every route there is, answers as an
// unknown one, byte for byte but the request's id. And the second wall: a policy on the live table
// that refuses all makes every read a 404.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { v7 } from 'uuid';
import { createStore } from '../../src/store/database/access.ts';
import { createAnnouncer } from '../../src/store/events/notifications.ts';
import { openPglite } from '../../src/store/database/database.ts';
import { migrateToLatest } from '../../src/store/database/migrate.ts';
import { newOrg, startApiRig, type ApiRig, type Caller, type Reply } from './api-rig.ts';
import { routeTable, type Ids, type RouteRow } from './route-table.ts';

const EVERY =
  'runs:write runs:read runs:cancel runs:approve runs:impersonate knowledge:read knowledge:write admin';
/** Without approving: an approver may see others' runs that wait for him. */
const OWN = 'runs:write runs:read runs:cancel';

const unknownIds = (agentId: string): Ids => ({
  agentId,
  runId: `run_${v7()}`,
  sessionId: randomUUID(),
  callId: 'call_000000000000000000000000',
  webhookId: `wh_${v7()}`,
  deliveryId: `msg_${randomUUID().replaceAll('-', '')}`,
  baseId: 'no-such-base',
  documentId: `doc_${v7()}`,
  memoryId: `mem_${v7()}`,
  grantId: `grant_${v7()}`,
  userId: 'nobody',
});

/** An answer without what may differ between two unknown things. */
function bare({ status, headers, text }: Reply, ids: Ids): string {
  let rest = text.replaceAll(/"requestId":"[^"]*"|urn:request:[^"]*/g, 'R');
  for (const id of [
    ...[ids.runId, ids.sessionId, ids.webhookId, ids.deliveryId],
    ...[ids.baseId, ids.documentId, ids.memoryId, ids.grantId, ids.userId],
  ])
    rest = rest.replaceAll(id, 'ID');
  return `${status} ${Object.keys(headers).toSorted().join()} ${rest}`;
}

const startsRuns = ({ method, body, path }: RouteRow): boolean =>
  method === 'POST' &&
  body !== undefined &&
  path.startsWith('/api/agents/:agentId/runs') &&
  !path.includes(':runId');

describe('tenants at every route', () => {
  let api: ApiRig;
  let ada: Caller;
  let mine: Ids;
  before(async () => {
    api = await startApiRig();
    const org = newOrg();
    ada = api.as('ada', { org, scope: EVERY });
    const made = await ada.call('POST', '/api/webhooks', {
      body: { url: 'https://example.org/hook', events: ['run.paused'] },
    });
    const { webhookId } = made.json;
    const baseId = 'a-base-of-ours';
    await ada.call('POST', '/api/knowledge', { body: { id: baseId, name: 'Ours' } });
    const given = await ada.call('POST', `/api/knowledge/${baseId}/documents`, {
      body: { title: 'Ours', text: 'a word of ours' },
    });
    const kept = await ada.call('POST', '/api/memories', { body: { content: 'Likes tea.' } });
    const granted = await ada.call('POST', '/api/grants', {
      body: {
        ...{ agentId: 'guard', tool: 'send', when: 'true', maxUses: 1, reason: 'r', userId: 'max' },
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      },
    });
    const paused = (await ada.run('guard', 'pause')).json;
    const told = await ada.call('GET', `/api/webhooks/${webhookId}/deliveries`);
    const { deliveryId } = told.json.data[0];
    mine = {
      ...{ agentId: 'guard', runId: paused.runId, sessionId: paused.sessionId },
      ...{ webhookId, deliveryId, callId: paused.pending?.[0]?.callId ?? '' },
      ...{ baseId, documentId: given.json.documentId, memoryId: kept.json.memoryId },
      grantId: granted.json.grantId,
      userId: 'ada',
    };
    strangers = {
      'another org': api.as('zoe', { org: newOrg(), scope: EVERY }),
      'another org, the same subject': api.as('ada', { org: newOrg(), scope: EVERY }),
      'another user of the org': api.as('bob', { org, scope: OWN }),
    };
  });
  after(() => api.close());
  let strangers: Record<string, Caller> = {};
  const ask = (caller: Caller, row: RouteRow, ids: Ids): Promise<Reply> => {
    const body = row.body?.(ids);
    return caller.call(row.method, row.address(ids), body === undefined ? {} : { body });
  };
  const named = routeTable().filter((row) =>
    /:(runId|sessionId|webhookId|baseId|memoryId|grantId|userId)/.test(row.path),
  );

  for (const who of ['another org', 'another org, the same subject', 'another user of the org'])
    for (const row of named)
      it(`${row.method} ${row.path}: ${who} is answered as for an unknown id`, async () => {
        const stranger = strangers[who] as Caller;
        const unknown = unknownIds('guard');
        const [foreign, none] = [await ask(stranger, row, mine), await ask(stranger, row, unknown)];
        assert.equal(bare(foreign, mine), bare(none, unknown));
        assert.ok(
          [403, 404].includes(none.status) || (none.status === 204 && row.method === 'DELETE'),
          none.text,
        );
      });

  it('a run or session is not found under another agent than its own, and an agent kept from the org is unknown', async () => {
    for (const row of named.filter(({ path }) => path.includes(':agentId'))) {
      const [unknown, wrong] = [unknownIds('other'), { ...mine, agentId: 'other' }];
      assert.equal(
        bare(await ask(ada, row, wrong), wrong),
        bare(await ask(ada, row, unknown), unknown),
        row.path,
      );
    }
    for (const row of routeTable().filter(
      ({ path }) => path.includes(':agentId') && !path.includes(':runId'),
    )) {
      const [kept, none] = [
        await ask(ada, row, { ...mine, agentId: 'zeta_only' }),
        await ask(ada, row, { ...mine, agentId: 'no_such' }),
      ];
      assert.equal(kept.status, 404, row.path);
      assert.equal(bare(kept, mine), bare(none, mine));
    }
  });

  it('lists, the inbox and the sums show nothing foreign, whatever is asked for by name', async () => {
    const lists = routeTable().filter(
      ({ method, path, scope }) =>
        method === 'GET' &&
        !path.includes(':') &&
        scope !== 'open' &&
        path !== '/api/agents' &&
        // It never ends: what it shows of other orgs is looked at in test/api/inbox.test.ts.
        path !== '/api/approvals/stream',
    );
    assert.ok(lists.length >= 4);
    for (const { path } of lists)
      for (const who of Object.keys(strangers)) {
        const seen = [
          path,
          `${path}?userId=ada`,
          `${path}?agentId=guard`,
          `${path}?sessionId=${mine.sessionId}`,
        ];
        for (const address of seen) {
          const { status, text, json } = await (strangers[who] as Caller).call('GET', address);
          assert.ok(status < 500, address);
          assert.ok(
            status >= 400 ||
              (!text.includes(mine.runId) &&
                !text.includes(mine.webhookId) &&
                !text.includes(mine.baseId) &&
                !text.includes(mine.memoryId) &&
                !text.replaceAll(address, '').includes(mine.sessionId)),
            `${who} ${address}`,
          );
          if (status === 200 && path === '/api/usage')
            assert.equal(json.totals.runs, 0, `${who} ${address}`);
        }
      }
  });

  it('a session id and an idempotency key of others are free for one’s own, and what was there stays as it was', async () => {
    const before = (await ada.read('guard', mine.runId)).text;
    for (const row of routeTable().filter(startsRuns))
      for (const who of Object.keys(strangers)) {
        const headers = { 'idempotency-key': 'shared-key', prefer: 'respond-async' };
        // A stream stays open: its start is what counts.
        const stop = AbortSignal.timeout(400);
        const body = { message: 'away', sessionId: mine.sessionId };
        const started = (strangers[who] as Caller).call(row.method, row.address(mine), {
          body,
          headers,
          ...(row.path.endsWith('/stream') ? { signal: stop } : {}),
        });
        const reply = await started.catch(() => undefined);
        if (reply === undefined) continue;
        assert.ok([200, 202, 409].includes(reply.status), reply.text);
        assert.ok(!reply.text.includes(mine.runId), `${who} ${row.path}`);
        assert.equal(reply.headers['idempotency-replayed'], undefined);
        if (reply.status === 409) assert.equal(reply.json.code, 'SESSION_PAUSED');
      }
    assert.equal((await ada.read('guard', mine.runId)).text, before);
  });

  it('no header, query or cookie names another org', async () => {
    const zoe = strangers['another org'] as Caller;
    const headers = { 'x-org-id': 'acme', 'x-user-id': 'ada', cookie: 'org_id=acme' };
    assert.equal(
      (await zoe.call('GET', `/api/agents/guard/runs/${mine.runId}`, { headers })).status,
      404,
    );
    const other = await zoe.run('guard', 'stay', { orgId: 'acme' });
    assert.equal(other.status, 403);
  });
});

describe('row-level security binds the service', () => {
  it('a restrictive policy that refuses all, on the live table of runs, makes every read a 404', async () => {
    const db = await openPglite();
    await migrateToLatest(db);
    const announcer = createAnnouncer(db);
    const api = await startApiRig({ store: createStore(db, announcer) });
    try {
      const ada = api.as('ada', { org: newOrg(), scope: EVERY });
      const { runId, sessionId } = (await ada.run('guard', 'answer')).json;
      const ids = { ...unknownIds('guard'), runId, sessionId };
      assert.equal((await ada.read('guard', runId)).status, 200);
      await sql`create policy nobody on runs as restrictive using (false)`.execute(db.kysely);
      for (const row of routeTable().filter(({ path }) => path.includes(':runId'))) {
        const body = row.body?.(ids);
        const reply = await ada.call(
          row.method,
          row.address(ids),
          body === undefined ? {} : { body },
        );
        assert.equal(reply.status, 404, `${row.method} ${row.path}: ${reply.text}`);
      }
      const list = await ada.call('GET', '/api/runs');
      assert.deepEqual(list.json.data, []);
      await sql`drop policy nobody on runs`.execute(db.kysely);
      assert.equal((await ada.read('guard', runId)).status, 200);
    } finally {
      await api.close();
      await announcer.close();
      await db.close();
    }
  });
});
