// What every store must keep of grants: a use is taken where a call is dispatched, never one more
// than there are, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { v7 } from 'uuid';
import type { AgentSnapshot } from '../../src/contract/agent.ts';
import type { CallRecord } from '../../src/store/queries/call-record.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { addGiver, createGrant, findGrant, revokeGrant } from '../../src/store/grants/grants.ts';
import { definitionOf } from '../../src/store/grants/take.ts';
import type { NewGrant } from '../../src/store/grants/grants.ts';
import { agent, all, drive, person, tool, type Bench } from './fixture.ts';

const INPUT = { type: 'object', properties: { amountCents: { type: 'integer' } } };
const args = (amountCents: number): string => `{"amountCents":${amountCents}}`;
const by = (name: string, roles: readonly string[] = []) => ({
  ...{ person: name, roles, service: false },
});

export function describeGrants(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const shop = (more: Partial<AgentSnapshot> = {}, toolMore: object = {}): AgentSnapshot =>
    agent({ id: `shop-${v7()}`, tools: [tool('refund', { input: INPUT, ...toolMore })], ...more });

  async function give(of: AgentSnapshot, more: Partial<NewGrant> = {}, giver = by('lea')) {
    const grantId = `grant_${v7()}`;
    const [refund = tool('refund')] = of.tools;
    const made = await bench().store.asOrg('acme', (tx) =>
      createGrant(
        tx,
        {
          ...{ grantId, orgId: 'acme', agentId: of.id, tool: 'refund', reason: 'The week.' },
          ...{ definition: definitionOf(refund), when: 'args.amountCents > 0', maxUses: 3 },
          ...{ expiresAt: new Date(Date.now() + 3_600_000), quorum: of.approvals.quorum },
          ...more,
        },
        giver,
      ),
    );
    assert.equal(made.kind, 'MADE');
    return grantId;
  }
  const now = async (grantId: string) =>
    (await bench().store.asOrg('acme', (tx) => findGrant(tx, 'acme', grantId))) ?? assert.fail();
  /** A run that asks for one call; what its claim came to. */
  async function asks(of: AgentSnapshot, amount = 100, more: Partial<NewRun> = {}) {
    const s = step();
    const run = await s.start({ agent: of, ...more });
    const [callId = ''] = await s.asks(run, 1, ['refund'], args(amount));
    return { run, callId };
  }
  const claimed = async (of: AgentSnapshot, amount?: number, more?: Partial<NewRun>) => {
    const { run, callId } = await asks(of, amount, more);
    return { run, callId, kind: (await step().claim(run, callId)).kind };
  };
  const call = async (run: NewRun): Promise<CallRecord> =>
    (await step().read(run)).calls[0] ?? assert.fail();

  describe('a grant', () => {
    it('lets a call be dispatched without a pause, by those who gave it, and counts it', async () => {
      const of = shop();
      const grantId = await give(of);
      const { run, kind } = await claimed(of);
      assert.equal(kind, 'DISPATCH');
      const { decision } = await call(run);
      assert.deepEqual(
        [decision?.action, decision?.by, decision?.grantId],
        ['APPROVE', ['lea'], grantId],
      );
      assert.equal((await now(grantId)).uses, 1);
    });

    it('of seven uses lets seven of twenty calls at once through, and no more', async () => {
      const of = shop();
      const grantId = await give(of, { maxUses: 7 });
      const waiting = await Promise.all(Array.from({ length: 20 }, () => asks(of)));
      const kinds = await Promise.all(
        waiting.map(async ({ run, callId }) => (await step().claim(run, callId)).kind),
      );
      assert.equal(kinds.filter((kind) => kind === 'DISPATCH').length, 7);
      assert.equal((await now(grantId)).uses, 7);
    });

    it('of a sum never passes it, and no negative amount makes room', async () => {
      const of = shop();
      const grantId = await give(of, {
        ...{ maxUses: 50, when: 'true', maxSum: { field: 'args.amountCents', value: 10_000 } },
      });
      const waiting = await Promise.all(
        [...Array.from({ length: 10 }, () => 3000), -5000].map((amount) => asks(of, amount)),
      );
      const kinds = await Promise.all(
        waiting.map(async ({ run, callId }) => (await step().claim(run, callId)).kind),
      );
      assert.equal(kinds.filter((kind) => kind === 'DISPATCH').length, 3);
      const { uses, usedSum } = await now(grantId);
      assert.deepEqual([uses, usedSum], [3, 9000]);
    });

    it('is not taken twice by one call that is claimed again', async () => {
      const of = shop();
      const grantId = await give(of);
      const { run, callId } = await claimed(of);
      await step().claim(run, callId);
      assert.equal((await now(grantId)).uses, 1);
    });

    it('covers nothing once it is revoked, expired, used up or of another tool, and says why where it matched', async () => {
      const gone = async (grantId: string): Promise<void> => {
        await bench().store.asOrg('acme', (tx) => revokeGrant(tx, 'acme', grantId, 'lea'));
      };
      const late = async (grantId: string): Promise<void> => {
        await sql`update grants set expires_at = clock_timestamp() where grant_id = ${grantId}`.execute(
          bench().db.kysely,
        );
      };
      const TABLE = [
        [{}, gone, undefined],
        [{}, late, /expired/],
        [{ maxUses: 1 }, undefined, /used up/],
        [{ definition: 'other' }, undefined, /another one/],
        [{ userId: 'max' }, undefined, /another user/],
        [{ when: 'args.amountCents > 1000' }, undefined, undefined],
      ] as const;
      for (const [more, meanwhile, why] of TABLE) {
        const of = shop();
        const grantId = await give(of, more);
        if ('maxUses' in more) await claimed(of);
        // It is looked at as the call is proposed, and again as it is dispatched.
        const { run, callId } = await asks(of);
        await meanwhile?.(grantId);
        assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN', JSON.stringify(more));
        const [near] = (await call(run)).grantsNear ?? [];
        if (why === undefined) assert.equal(near, undefined);
        else assert.match(near?.why ?? '', why);
      }
    });

    it('counts for no call of high risk', async () => {
      const of = shop({}, { risk: 'high' });
      await give(of);
      assert.equal((await claimed(of)).kind, 'ASK_AGAIN');
    });

    it('counts once as many have given it as the call needs, and each of them may', async () => {
      const approvals = { expiresAfterMs: null, quorum: 2, fourEyes: false };
      const of = shop({ approvals }, { approvers: ['role:lead'] });
      const grantId = await give(of, {}, by('lea', ['lead']));
      assert.equal((await claimed(of)).kind, 'ASK_AGAIN');
      const more = (name: string, roles: readonly string[]) =>
        bench().store.asOrg('acme', (tx) => addGiver(tx, 'acme', grantId, by(name, roles)));
      await more('lea', ['lead']);
      assert.equal((await now(grantId)).active, false, 'the same person twice');
      await more('max', ['sales']);
      assert.equal((await claimed(of)).kind, 'ASK_AGAIN', 'max may not approve this call');
      await more('ada', ['lead']);
      assert.equal((await claimed(of)).kind, 'DISPATCH');
    });

    it('with four eyes covers no run of its givers', async () => {
      const approvals = { expiresAfterMs: null, quorum: 1, fourEyes: true };
      const of = shop({ approvals });
      await give(of, {}, by('ada'));
      assert.equal((await claimed(of)).kind, 'ASK_AGAIN');
      assert.equal((await claimed(of, 100, { userId: 'max', startedBy: 'max' })).kind, 'DISPATCH');
    });

    it('is no answer to a call that was changed since', async () => {
      const of = shop();
      const grantId = await give(of);
      const { run, callId } = await asks(of);
      await sql`update calls set arguments = ${args(9)} where call_id = ${callId}`.execute(
        bench().db.kysely,
      );
      assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN');
      assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN', 'nor the second time');
      assert.equal((await now(grantId)).uses, 0);
      await step().pause(run, 1, 1, [callId]);
      await step().vote(run, person('lea'), all('APPROVE'));
      assert.equal((await step().claim(run, callId)).kind, 'DISPATCH');
    });

    it('does not let a call through that another one let through and that is asked about again', async () => {
      const of = shop();
      const first = await give(of);
      const { run, callId } = await asks(of);
      assert.equal((await step().claim(run, callId)).kind, 'DISPATCH');
      // As where a failed run is taken up again.
      await sql`update calls set state = 'PROPOSED', granted = null where call_id = ${callId}`.execute(
        bench().db.kysely,
      );
      await bench().store.asOrg('acme', (tx) => revokeGrant(tx, 'acme', first, 'lea'));
      const second = await give(of);
      assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN');
      assert.equal((await now(second)).uses, 0);
    });

    it('is refused beside a vote on an unknown outcome, and a refused vote is not cast, whatever has expired meanwhile', async () => {
      const s = step();
      const grant = {
        ...{ grantId: `grant_${v7()}`, when: 'true', maxUses: 1, reason: 'r' },
        expiresAt: new Date(Date.now() + 60_000).toISOString(),
      };
      const votesFor = (callId: string, more: object) => ({
        id: randomUUID(),
        votes: { each: [{ callId, action: 'APPROVE' as const, grant: { ...grant, ...more } }] },
      });
      const run = await s.start();
      const [note = ''] = await s.asks(run, 1, ['note']);
      const { n } = await s.goesOut(run, note);
      await s.record(run, note, n, { kind: 'UNANSWERED', evidence: 'cut' });
      await s.pause(run, 1, 1, [note], 'OUTCOME_UNKNOWN');
      const pauseId = s.pauseId(run, 1, 1);
      const vote = s.vote(run, person('lea'), { ...votesFor(note, {}), pauseId });
      await assert.rejects(vote, /unknown outcome/);

      const of = shop({ approvals: { expiresAfterMs: 3_600_000, quorum: 2, fourEyes: false } });
      const two = await s.start({ agent: of });
      const [a = '', b = ''] = await s.asks(two, 1, ['refund', 'refund'], args(1));
      await s.pause(two, 1, 1, [a, b]);
      await sql`update calls set expires_at = clock_timestamp() where call_id = ${a}`.execute(
        bench().db.kysely,
      );
      const late = votesFor(b, { expiresAt: '2020-01-01T00:00:00Z' });
      await assert.rejects(s.vote(two, person('lea'), late), /expiresAt/);
      assert.deepEqual((await s.read(two)).calls[1]?.votes, []);
    });

    it('is the same when it is made, given or revoked once more', async () => {
      const of = shop();
      const grantId = `grant_${v7()}`;
      const record = async () => ({
        grant: await now(grantId),
        audit: (
          await sql`select action from audit where data->>'grantId' = ${grantId} order by action`.execute(
            bench().db.kysely,
          )
        ).rows,
      });
      for (const work of [
        () => give(of, { grantId, quorum: 2 }),
        () => bench().store.asOrg('acme', (tx) => addGiver(tx, 'acme', grantId, by('bob'))),
        () => bench().store.asOrg('acme', (tx) => revokeGrant(tx, 'acme', grantId, 'bob')),
      ]) {
        await work();
        const once = await record();
        await work();
        assert.deepEqual(await record(), once);
      }
    });

    it('given beside an approval counts for the next call, not for the approved one', async () => {
      const of = shop();
      const s = step();
      const { run, callId } = await asks(of);
      await s.pause(run, 1, 1, [callId]);
      const grant = {
        ...{ grantId: `grant_${v7()}`, when: 'args.amountCents == 100', maxUses: 1 },
        ...{ expiresAt: new Date(Date.now() + 60_000).toISOString(), reason: 'Like this one.' },
      };
      const approve = (more: object) =>
        s.vote(run, person('lea'), {
          id: randomUUID(),
          votes: { each: [{ callId, action: 'APPROVE', grant: { ...grant, ...more } }] },
        });
      await assert.rejects(approve({ when: 'user.id == "ada"' }), /grant\.when speaks of more/);
      await assert.rejects(approve({ expiresAt: '2020-01-01T00:00:00Z' }), /grant\.expiresAt must/);
      assert.equal((await s.read(run)).status, 'PAUSED');
      await approve({});
      assert.equal((await s.claim(run, callId)).kind, 'DISPATCH');
      assert.equal((await call(run)).decision?.grantId ?? null, null);
      assert.equal((await now(grant.grantId)).uses, 0);
      assert.equal((await claimed(of)).kind, 'DISPATCH');
      assert.deepEqual((await now(grant.grantId)).by, ['lea']);
      assert.equal((await claimed(of)).kind, 'ASK_AGAIN');
    });

    it('is made for seven days at most', async () => {
      const of = shop();
      const day = 86_400_000;
      const until = (ms: number) => give(of, { expiresAt: new Date(Date.now() + ms) });
      await assert.rejects(until(8 * day));
      await assert.rejects(until(-1000));
      await until(7 * day - 60_000);
    });
  });
}
