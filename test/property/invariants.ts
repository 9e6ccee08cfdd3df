// What must hold of a run after any interleaving, read from the tables themselves.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { argumentsHash } from '../rig/arguments-hash.ts';
import type { Bench } from '../store/fixture.ts';
import type { Played } from './interleaving.ts';

interface Row {
  readonly status: string;
  readonly pause_id: string | null;
  readonly event_seq: number;
  readonly calls: readonly {
    call_id: string;
    name: string;
    tool_version: string;
    state: string;
    dispatch_n: number;
    pause_id: string | null;
  }[];
  readonly pauses: readonly {
    pause_id: string;
    kind: string;
    closed: boolean;
    signalled: boolean;
  }[];
  readonly decisions: readonly {
    pause_id: string;
    call_id: string;
    action: string;
    deciders: string[];
    arguments_hash: string;
  }[];
  readonly votes: readonly { pause_id: string; call_id: string; person: string; action: string }[];
  readonly events: readonly { seq: number; kind: string }[];
  readonly audit: readonly { action: string; call_id: string | null }[];
}

async function readAll({ db }: Bench, runId: string): Promise<Row> {
  const { rows } = await sql<Row>`
    select r.status, r.pause_id, r.event_seq,
      (select jsonb_agg(to_jsonb(c) - 'arguments' order by c.idx) from calls c where c.run_id = r.run_id) as calls,
      (select jsonb_agg(jsonb_build_object('pause_id', p.pause_id, 'kind', p.kind, 'closed', p.closed_at is not null,
        'signalled', exists (select 1 from outbox o where o.line_key = r.run_id || ' SIGNAL ' || p.pause_id))) from pauses p where p.run_id = r.run_id) as pauses,
      coalesce((select jsonb_agg(to_jsonb(d)) from decisions d where d.run_id = r.run_id), '[]') as decisions,
      coalesce((select jsonb_agg(to_jsonb(v)) from votes v where v.run_id = r.run_id), '[]') as votes,
      (select jsonb_agg(jsonb_build_object('seq', e.seq, 'kind', e.kind) order by e.seq) from events e where e.run_id = r.run_id) as events,
      (select jsonb_agg(jsonb_build_object('action', a.action, 'call_id', a.data->>'callId') order by a.id) from audit a where a.run_id = r.run_id) as audit
    from runs r where r.run_id = ${runId}`.execute(db.kysely);
  const row = rows[0];
  assert.ok(row !== undefined);
  return row;
}

const TERMINAL = ['COMPLETED', 'FAILED', 'CANCELLED'];
const END_EVENT: Readonly<Record<string, string>> = {
  COMPLETED: 'STOP',
  FAILED: 'ERROR',
  CANCELLED: 'CANCELLED',
};

export async function assertInvariants(
  bench: Bench,
  played: Played,
  quorum: number,
): Promise<void> {
  const row = await readAll(bench, played.run.runId);
  decisionsAreMade(row, quorum);
  dispatchesWereApproved(row, played);
  oneDispatchInForce(played);
  nothingAfterAnEnd(played);
  terminalStays(row, played);
  recordIsWhole(row);
}

function decisionsAreMade(row: Row, quorum: number): void {
  const places = row.decisions.map((d) => `${d.pause_id} ${d.call_id}`);
  assert.equal(new Set(places).size, places.length, 'one decision a pause and call');
  for (const d of row.decisions) {
    if (d.deciders[0] === 'expiry') {
      assert.equal(d.action, 'REJECT');
      continue;
    }
    // By the run's user, who has no vote.
    if (d.action === 'WITHDRAWN') {
      assert.deepEqual(d.deciders, ['ada']);
      continue;
    }
    const kind = row.pauses.find((p) => p.pause_id === d.pause_id)?.kind;
    const needed = d.action === 'REJECT' || kind === 'OUTCOME_UNKNOWN' ? 1 : quorum;
    assert.equal(new Set(d.deciders).size, needed, `a decision of ${needed}: ${d.deciders.join()}`);
    for (const who of d.deciders) {
      const vote = row.votes.find(
        (v) => v.pause_id === d.pause_id && v.call_id === d.call_id && v.person === who,
      );
      assert.equal(vote?.action, d.action, 'who decided has voted so');
    }
  }
}

function dispatchesWereApproved(row: Row, { sent, run }: Played): void {
  for (const one of sent) {
    const call = row.calls.find((c) => c.call_id === one.callId);
    assert.ok(call !== undefined);
    const hash = argumentsHash({
      org: run.orgId,
      runId: run.runId,
      callId: one.callId,
      tool: call.name,
      toolVersion: call.tool_version,
      arguments: one.text,
    });
    assert.ok(
      row.decisions.some(
        (d) => d.call_id === one.callId && d.action === 'APPROVE' && d.arguments_hash === hash,
      ),
      `what was dispatched was approved: ${one.text}`,
    );
  }
  for (const call of row.calls) {
    // A tool that must not be repeated: each approval sends it once at most.
    if (call.name !== 'pay') continue;
    const approvals = row.decisions.filter(
      (d) => d.call_id === call.call_id && d.action === 'APPROVE',
    ).length;
    const deliveries = new Set(
      sent.filter((one) => one.callId === call.call_id).map((one) => one.n),
    ).size;
    assert.ok(deliveries <= approvals, `${deliveries} deliveries for ${approvals} approvals`);
  }
}

function oneDispatchInForce({ sent, facts }: Played): void {
  for (const one of sent)
    assert.ok(
      !facts.some(
        (f) =>
          f.what === 'claimed' && f.callId === one.callId && f.n > one.n && f.known < one.began,
      ),
      'an older claim is let through no more',
    );
}

function nothingAfterAnEnd({ sent, facts }: Played): void {
  for (const one of sent)
    assert.ok(
      !facts.some(
        (f) =>
          f.known < one.began &&
          (f.what === 'cancelled' || (f.what === 'rejected' && f.callId === one.callId)),
      ),
      'nothing is dispatched after a committed cancel or rejection',
    );
}

function terminalStays(row: Row, { statuses }: Played): void {
  const first = statuses.findIndex((status) => TERMINAL.includes(status));
  if (first >= 0)
    assert.ok(
      statuses.slice(first).every((status) => status === statuses[first]) &&
        row.status === statuses[first],
    );
  const ends = row.events.filter((e) => Object.values(END_EVENT).includes(e.kind));
  assert.deepEqual(
    ends.map((e) => e.kind),
    TERMINAL.includes(row.status) ? [END_EVENT[row.status]] : [],
  );
}

function recordIsWhole(row: Row): void {
  assert.deepEqual(
    row.events.map((e) => e.seq),
    Array.from({ length: row.event_seq }, (_, i) => i + 1),
    'events without a gap',
  );
  const count = (action: string, callId?: string): number =>
    row.audit.filter((a) => a.action === action && (callId === undefined || a.call_id === callId))
      .length;
  assert.equal(count('call.approved'), row.decisions.filter((d) => d.action === 'APPROVE').length);
  assert.equal(
    count('call.withdrawn'),
    row.decisions.filter((d) => d.action === 'WITHDRAWN').length,
  );
  assert.equal(count('call.rejected'), row.decisions.filter((d) => d.action === 'REJECT').length);
  for (const call of row.calls)
    // A claim that no byte went out under is none.
    assert.ok(count('call.dispatched', call.call_id) <= call.dispatch_n);
  for (const status of TERMINAL)
    assert.equal(count(`run.${status.toLowerCase()}`), row.status === status ? 1 : 0);
  assert.equal(count('run.paused'), row.pauses.length);

  const open = row.calls.filter((call) => call.pause_id !== null);
  assert.equal(row.status === 'PAUSED', row.pause_id !== null);
  assert.equal(row.status === 'PAUSED', open.length > 0, 'PAUSED exactly while a call is open');
  assert.ok(open.every((call) => call.pause_id === row.pause_id));
  for (const p of row.pauses) {
    assert.equal(p.closed, p.pause_id !== row.pause_id);
    // The workflow is woken for every pause that came to a decision, and only then.
    const decided =
      !row.calls.some((c) => c.state === 'CLOSED') &&
      row.decisions.some((d) => d.pause_id === p.pause_id);
    if (decided && p.closed && !TERMINAL.includes(row.status))
      assert.ok(p.signalled, 'a decided pause wakes its workflow');
  }
}
