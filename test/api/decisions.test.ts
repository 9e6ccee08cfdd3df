import assert from 'node:assert/strict';
import { RunResponseSchema } from '../../src/contract/run.ts';
import {
  newOrg,
  startApiRig,
  UNKNOWN_RUN,
  type ApiRig,
  type Caller,
  type CallerClaims,
  type Json,
} from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('continue', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  interface Paused {
    readonly run: Json;
    readonly id: string;
    readonly pending: Json[];
    readonly ada: Caller;
    readonly as: (user: string, claims?: CallerClaims) => Caller;
  }
  async function paused(message = 'pause', agentId = 'guard'): Promise<Paused> {
    const org = newOrg();
    const as: Paused['as'] = (user, claims = {}) => api.as(user, { org, ...claims });
    const ada = as('ada');
    const run = (await ada.run(agentId, message)).json;
    assert.equal(run.status, 'PAUSED', JSON.stringify(run));
    return { run, id: run.runId, pending: run.pending, ada, as };
  }
  const unchanged = async (p: Paused, agentId = 'guard'): Promise<void> =>
    assert.deepEqual((await p.ada.read(agentId, p.id)).json, p.run);
  /** A run that has paused, been approved, and paused again. */
  async function pausedTwice(): Promise<Paused> {
    const p = await paused('pause twice');
    const run = (await p.ada.decide('guard', p.id, { action: 'APPROVE' })).json;
    assert.equal(run.status, 'PAUSED');
    return { ...p, run, pending: run.pending };
  }

  it('a bare REJECT ends with the refusal in tools, which the tool never saw', async () => {
    const p = await paused();
    const r = await p.ada.decide('guard', p.id, { action: 'REJECT', reason: 'wrong address' });
    assert.equal(r.json.status, 'COMPLETED', r.text);
    const [tool] = RunResponseSchema.parse(r.json).tools;
    assert.equal(tool?.isError, true);
    assert.match(tool.result, /ada rejected it: wrong address/);
    assert.equal(tool.outcome, undefined);
    assert.deepEqual(
      [tool.decision?.action, tool.decision?.by, tool.decision?.reason],
      ['REJECT', ['ada'], 'wrong address'],
    );
  });

  it('bodies that are no vote are 400 and change nothing', async () => {
    const p = await paused();
    const { callId } = p.pending[0];
    for (const [body, field] of [
      [{}, 'action'],
      [{ action: 'approve' }, 'action'],
      [{ action: null }, 'action'],
      [{ action: 'APPROVE', force: true }, 'force'],
      [{ action: 'APPROVE', arguments: { to: 'x' } }, 'arguments'],
      [{ action: 'APPROVE', argumentsHash: '0'.repeat(64) }, 'argumentsHash'],
      [{ action: 'REJECT', callId, arguments: { to: 'x' } }, 'arguments'],
      [{ decisions: [] }, 'decisions'],
      [{ decisions: [{ callId, action: 'MAYBE' }] }, 'decisions.0.action'],
      [
        {
          decisions: [
            { callId, action: 'REJECT' },
            { callId, action: 'APPROVE' },
          ],
        },
        'decisions',
      ],
      [{ action: 'REJECT', reason: 'r'.repeat(3000) }, 'reason'],
    ] as const) {
      const r = isProblem(await p.ada.decide('guard', p.id, body), 400, 'INVALID_REQUEST');
      assert.ok(
        r.json.errors.some((e: { path: string }) => e.path === field),
        r.text,
      );
    }
    await unchanged(p);
  });

  it('scope comes before body, body before the run, the run before everything else', async () => {
    const p = await paused();
    isProblem(
      await p.as('ada', { scope: 'runs:read' }).decide('guard', UNKNOWN_RUN, {}),
      403,
      'INSUFFICIENT_SCOPE',
    );
    isProblem(await p.ada.decide('guard', UNKNOWN_RUN, {}), 400, 'INVALID_REQUEST');
    isProblem(
      await p.ada.decide(
        'guard',
        UNKNOWN_RUN,
        { action: 'APPROVE' },
        { 'idempotency-key': 'x'.repeat(256) },
      ),
      400,
      'INVALID_REQUEST',
    );
    for (const [who, agentId, id] of [
      [p.ada, 'guard', UNKNOWN_RUN],
      [p.ada, 'other', p.id],
      [p.as('ada', { org: newOrg() }), 'guard', p.id],
    ] as const)
      isProblem(await who.decide(agentId, id, { action: 'APPROVE' }), 404, 'NOT_FOUND');
    await unchanged(p);
  });

  it('several calls are decided one by one: PAUSED at once while any is open, then on', async () => {
    const p = await paused('pause: send_email, pay, get_price');
    assert.equal(p.pending.length, 2);
    const [mail, pay] = p.pending;
    const one = await p.ada.decide('guard', p.id, { action: 'APPROVE', callId: pay.callId });
    assert.equal(one.status, 200);
    assert.deepEqual(
      [one.json.status, one.json.pauseId, one.json.pending.map((c: Json) => c.callId)],
      ['PAUSED', p.run.pauseId, [mail.callId]],
    );
    const end = await p.as('bob').decide('guard', p.id, {
      pauseId: p.run.pauseId,
      decisions: [{ callId: mail.callId, action: 'REJECT' }],
    });
    assert.equal(end.json.status, 'COMPLETED', end.text);
    assert.deepEqual(
      end.json.tools.map((t: Json) => [t.name, t.isError, t.decision?.by]),
      [
        ['send_email', true, ['bob']],
        ['pay', false, ['ada']],
        ['get_price', false, undefined],
      ],
    );
  });

  it('an edit is checked, runs instead, and both versions stay', async () => {
    const p = await paused();
    const { callId } = p.pending[0];
    assert.match(
      isProblem(
        await p.ada.decide('guard', p.id, { action: 'APPROVE', callId, arguments: { to: 5 } }),
        400,
        'INVALID_REQUEST',
      ).text,
      /"to/,
    );
    await unchanged(p);
    const r = await p.ada.decide('guard', p.id, {
      action: 'APPROVE',
      callId,
      arguments: { to: 'bob' },
    });
    assert.deepEqual(r.json.tools[0].arguments, { to: 'bob' }, r.text);
    assert.deepEqual(r.json.tools[0].decision.proposedArguments, p.pending[0].arguments);
  });

  it('high risk is approved by callId with the hash only: 428, 412, then it runs', async () => {
    const p = await paused('pause: drop_table');
    const { callId, argumentsHash } = p.pending[0];
    for (const body of [{}, { pauseId: p.run.pauseId }, { callId }])
      isProblem(
        await p.ada.decide('guard', p.id, { action: 'APPROVE', ...body }),
        428,
        'CALL_ID_REQUIRED',
      );
    isProblem(
      await p.ada.decide('guard', p.id, {
        action: 'APPROVE',
        callId,
        argumentsHash: '0'.repeat(64),
      }),
      412,
      'HASH_MISMATCH',
    );
    await unchanged(p);
    assert.equal(
      (await p.ada.decide('guard', p.id, { action: 'APPROVE', callId, argumentsHash })).json.status,
      'COMPLETED',
    );
    const mixed = await paused('pause: send_email, drop_table');
    isProblem(
      await mixed.ada.decide('guard', mixed.id, { action: 'APPROVE' }),
      428,
      'CALL_ID_REQUIRED',
    );
    await unchanged(mixed);
  });

  it('a pause or call that is not the present one is 409, and takes nothing of the body', async () => {
    const p = await paused();
    const { callId } = p.pending[0];
    isProblem(
      await p.ada.decide('guard', p.id, { action: 'APPROVE', pauseId: 'pause_nope' }),
      409,
      'NOT_THIS_PAUSE',
    );
    isProblem(
      await p.ada.decide('guard', p.id, {
        decisions: [
          { callId, action: 'APPROVE' },
          { callId: 'call_nope', action: 'APPROVE' },
        ],
      }),
      409,
      'NOT_THIS_PAUSE',
    );
    await unchanged(p);
  });

  it('paused again after a decided pause, a bare APPROVE is 428 for everyone, a new key or not; by pauseId or callId it votes', async () => {
    for (const body of [
      (p: Paused) => ({ pauseId: p.run.pauseId }),
      (p: Paused) => ({ callId: p.pending[0].callId }),
    ]) {
      const p = await pausedTwice();
      for (const who of [p.ada, p.as('bob')])
        for (const headers of [{}, { 'idempotency-key': 'fresh' }])
          isProblem(
            await who.decide('guard', p.id, { action: 'APPROVE' }, headers),
            428,
            'CALL_ID_REQUIRED',
          );
      await unchanged(p);
      assert.equal(
        (await p.ada.decide('guard', p.id, { action: 'APPROVE', ...body(p) })).json.status,
        'COMPLETED',
      );
    }
    const p = await pausedTwice();
    assert.equal(
      (await p.ada.decide('guard', p.id, { action: 'REJECT' })).json.status,
      'COMPLETED',
    );
  });

  it('the same vote again is 200 in any state; another one is 409 that says who, what, when, and the state', async () => {
    const p = await paused();
    const { callId } = p.pending[0];
    const first = await p.ada.decide('guard', p.id, { action: 'APPROVE', callId });
    for (const body of [{ callId }, {}, { pauseId: p.run.pauseId }])
      assert.deepEqual(
        (await p.ada.decide('guard', p.id, { action: 'APPROVE', ...body })).json,
        first.json,
      );
    assert.match(
      isProblem(
        await p.as('bob').decide('guard', p.id, { action: 'APPROVE', callId }),
        409,
        'ALREADY_DECIDED',
      ).text,
      /approved by ada at \d{4}-\d\d-\d\dT/,
    );
    assert.match(
      isProblem(await p.ada.decide('guard', p.id, { action: 'REJECT' }), 409, 'NOT_PAUSED').text,
      /COMPLETED.*approved by ada/,
    );
  });

  it('Prefer: respond-async answers 202 as the run stands, with the vote cast', async () => {
    const p = await paused();
    const r = await p.ada.decide('guard', p.id, { action: 'APPROVE' }, { prefer: 'respond-async' });
    assert.equal(r.status, 202, r.text);
    assert.deepEqual(
      [r.json.status, r.headers.location, r.headers['preference-applied']],
      ['RUNNING', `/api/agents/guard/runs/${p.id}`, 'respond-async'],
    );
  });

  it('Temporal out of reach: 202, the vote stands, and the same vote again is no second one', async () => {
    const away = await startApiRig({ send: async () => false });
    const p = await paused();
    const bearer = away.as('ada', { org: p.run.orgId });
    const t0 = performance.now();
    for (let i = 0; i < 2; i++) {
      const r = await bearer.decide('guard', p.id, { action: 'APPROVE' });
      assert.deepEqual([r.status, r.json.status], [202, 'RUNNING'], r.text);
    }
    assert.ok(performance.now() - t0 < 8000, 'not after the whole wait');
    await away.close();
  });

  it('a policy is held: strangers 404, the requester who is not named 403, the named user and role may', async () => {
    for (const who of ['lea', 'rob'] as const) {
      const p = await paused('pause', 'lea_only');
      isProblem(await p.ada.decide('lea_only', p.id, { action: 'APPROVE' }), 403, 'FORBIDDEN');
      isProblem(
        await p.as('bob').decide('lea_only', p.id, { action: 'APPROVE' }),
        404,
        'NOT_FOUND',
      );
      await unchanged(p, 'lea_only');
      const r = await p
        .as(who, { roles: ['boss'] })
        .decide('lea_only', p.id, { action: 'APPROVE' });
      assert.deepEqual(r.json.tools[0].decision.by, [who], r.text);
    }
  });

  it('four eyes: who asked is 403, somebody else may; a service token that is not named is not there', async () => {
    const p = await paused('pause', 'four_eyes');
    isProblem(await p.ada.decide('four_eyes', p.id, { action: 'APPROVE' }), 403, 'FORBIDDEN');
    isProblem(
      await p.as('robot', { service: true }).decide('four_eyes', p.id, { action: 'APPROVE' }),
      404,
      'NOT_FOUND',
    );
    assert.equal(
      (await p.as('bob').decide('four_eyes', p.id, { action: 'APPROVE' })).json.status,
      'COMPLETED',
    );
  });

  it('a quorum of two: the first vote is shown and answers PAUSED at once, twice by one person is one voice, an edit is 400', async () => {
    const p = await paused('pause', 'quorum_two');
    const { callId } = p.pending[0];
    assert.equal(p.pending[0].votesNeeded, 2);
    isProblem(
      await p.ada.decide('quorum_two', p.id, { action: 'APPROVE', callId, arguments: { to: 'x' } }),
      400,
      'INVALID_REQUEST',
    );
    for (let i = 0; i < 2; i++) {
      const r = (await p.ada.decide('quorum_two', p.id, { action: 'APPROVE' })).json;
      assert.deepEqual(
        [
          r.status,
          r.pauseId,
          r.pending[0].votesNeeded,
          r.pending[0].votes.map((v: Json) => [v.by, v.action]),
        ],
        ['PAUSED', p.run.pauseId, 2, [['ada', 'APPROVE']]],
      );
    }
    const end = (await p.as('bob').decide('quorum_two', p.id, { action: 'APPROVE' })).json;
    assert.deepEqual(end.tools[0].decision.by.toSorted(), ['ada', 'bob']);
    const q = await paused('pause', 'quorum_two');
    await q.ada.decide('quorum_two', q.id, { action: 'APPROVE' });
    const turned = (await q.ada.decide('quorum_two', q.id, { action: 'REJECT' })).json;
    assert.deepEqual([turned.status, turned.tools[0].decision.action], ['COMPLETED', 'REJECT']);
  });

  it('an expired call takes no vote: 409, and the run goes on with the rejection "expired"', async () => {
    const p = await paused('pause', 'expiring');
    await new Promise((resolve) => setTimeout(resolve, 5));
    isProblem(await p.ada.decide('expiring', p.id, { action: 'APPROVE' }), 409, 'NOT_PAUSED');
    const run = (await p.ada.read('expiring', p.id, '?wait=10')).json;
    assert.deepEqual(
      [run.status, run.tools[0].decision.by, run.tools[0].decision.reason],
      ['COMPLETED', ['expiry'], 'expired'],
    );
  });

  describe('a call of unknown outcome', () => {
    async function unknown(): Promise<Paused> {
      const org = newOrg();
      const as: Paused['as'] = (user, claims = {}) => api.as(user, { org, ...claims });
      const ada = as('ada');
      const id = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json.runId;
      const calls = await api.runs.ask(id, 1, ['note']);
      await api.runs.dispatch(id, calls[0] ?? '', {
        kind: 'UNANSWERED',
        evidence: 'the connection broke',
      });
      assert.deepEqual(
        (await ada.read('guard', id)).json.tools,
        [],
        'somebody is going to be asked',
      );
      await api.runs.pause(id, 1, 1, 'OUTCOME_UNKNOWN', calls);
      const run = (await ada.read('guard', id)).json;
      return { run, id, pending: run.pending, ada, as };
    }

    it('says what is known, and is done again by callId and pauseId together only', async () => {
      const p = await unknown();
      const { callId, kind, evidence, votesNeeded } =
        RunResponseSchema.parse(p.run).pending?.[0] ?? assert.fail();
      assert.deepEqual(
        [kind, evidence, votesNeeded],
        ['OUTCOME_UNKNOWN', 'the connection broke', 1],
      );
      const { pauseId } = p.run;
      for (const body of [{}, { pauseId }, { callId }])
        isProblem(
          await p.ada.decide('guard', p.id, { action: 'APPROVE', ...body }),
          428,
          'CALL_ID_REQUIRED',
        );
      isProblem(
        await p.ada.decide('guard', p.id, {
          action: 'APPROVE',
          callId,
          pauseId,
          arguments: { to: 'x' },
        }),
        400,
        'INVALID_REQUEST',
      );
      await unchanged(p);
      const exact = { action: 'APPROVE', callId, pauseId };
      const r = await p.ada.decide('guard', p.id, exact, { prefer: 'respond-async' });
      assert.deepEqual([r.status, r.json.status], [202, 'RUNNING'], r.text);
      assert.equal(
        (await p.ada.decide('guard', p.id, exact, { prefer: 'respond-async' })).status,
        202,
        'the same vote again',
      );
      isProblem(
        await p.ada.decide('guard', p.id, { ...exact, action: 'REJECT' }),
        409,
        'ALREADY_DECIDED',
      );
    });

    it('left, it stands in tools as unknown with the decision', async () => {
      const p = await unknown();
      const r = await p
        .as('bob')
        .decide('guard', p.id, { action: 'REJECT' }, { prefer: 'respond-async' });
      const [entry] = RunResponseSchema.parse(r.json).tools;
      assert.deepEqual(
        [entry?.outcome, entry?.isError, entry?.decision?.by],
        ['UNKNOWN', true, ['bob']],
      );
      assert.match(entry?.result ?? '', /not known/);
    });
  });
});
