// Random interleavings of everything that may happen to a paused run, played with the store's own
// functions. What came back of each step is kept with ticks, so that "before" and "after" mean what
// a caller could know.

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { AppError } from '../../src/contract/errors.ts';
import type { CallEnd } from '../../src/store/calls/outcomes.ts';
import type { ClaimedCall } from '../../src/store/calls/calls.ts';
import { checkClaim } from '../../src/store/calls/calls.ts';
import { readPause } from '../../src/store/calls/decisions.ts';
import { lockRun, type NewRun } from '../../src/store/runs/runs.ts';
import { withdrawCalls } from '../../src/store/runs/withdraw.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { agent, all, drive, one, person, type Bench } from '../store/fixture.ts';

const PEOPLE = ['lea', 'max', 'kim'] as const;
type Action = 'APPROVE' | 'REJECT';

export type Op =
  | {
      readonly op: 'vote';
      readonly who: number;
      readonly call: number;
      readonly action: Action;
      readonly edit: boolean;
    }
  | { readonly op: 'voteAll'; readonly who: number; readonly action: Action }
  | { readonly op: 'operator'; readonly action: Action; readonly call: number }
  | {
      readonly op: 'dispatch';
      readonly call: number;
      readonly end: 'answer' | 'silence' | 'withdraw' | 'dies' | 'diesBefore';
    }
  | { readonly op: 'claim'; readonly call: number }
  | { readonly op: 'check'; readonly call: number }
  | { readonly op: 'record'; readonly call: number; readonly silent: boolean }
  | { readonly op: 'tamper'; readonly call: number }
  /** A claim, what happens before its last look, and that look. */
  | {
      readonly op: 'interrupted';
      readonly call: number;
      readonly by: 'cancel' | 'tamper' | 'claim' | 'record' | 'nothing';
    }
  | { readonly op: 'pauseAgain' | 'askAgain' | 'expire' | 'cancel' | 'fail' | 'takeBack' };

export interface Interleaving {
  readonly tools: readonly ('send' | 'pay')[];
  readonly quorum: number;
  readonly expires: boolean;
  /** Waves one after the other; the steps of a wave at once, where the database can. */
  readonly waves: readonly (readonly Op[])[];
}

const action = fc.constantFrom<Action>('APPROVE', 'APPROVE', 'APPROVE', 'REJECT');
const call = fc.nat({ max: 2 });
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('vote' as const),
      who: call,
      call,
      action,
      edit: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('voteAll' as const), who: call, action }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('operator' as const), action, call }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('dispatch' as const),
      call,
      end: fc.constantFrom('answer', 'answer', 'silence', 'withdraw', 'dies', 'diesBefore'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('claim' as const), call }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('check' as const), call }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('record' as const), call, silent: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('tamper' as const), call }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('interrupted' as const),
      call,
      by: fc.constantFrom('cancel', 'tamper', 'claim', 'claim', 'record', 'nothing', 'nothing'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'pauseAgain',
        'askAgain',
        'askAgain',
        'askAgain',
        'askAgain',
        'expire',
        'expire',
        'cancel',
        'fail',
        'takeBack',
      ),
    }),
  },
);

export const interleaving: fc.Arbitrary<Interleaving> = fc.record({
  tools: fc.array(fc.constantFrom('send', 'pay'), { minLength: 1, maxLength: 3 }),
  quorum: fc.constantFrom(1, 1, 2),
  expires: fc.boolean(),
  waves: fc.array(fc.array(op, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 7 }),
});

/** A dispatch that was let through, from the beginning of its last check. */
export interface Sent {
  readonly callId: string;
  readonly n: number;
  readonly text: string;
  readonly began: number;
}
export interface Fact {
  readonly what: 'cancelled' | 'rejected' | 'claimed';
  readonly callId: string;
  readonly n: number;
  /** When it was known that it stands. */
  readonly known: number;
}

export interface Played {
  readonly run: NewRun;
  readonly callIds: readonly string[];
  readonly sent: readonly Sent[];
  readonly facts: readonly Fact[];
  /** After each wave. */
  readonly statuses: readonly string[];
}

export async function play(bench: Bench, script: Interleaving): Promise<Played> {
  const { store } = bench;
  const s = drive(store);
  const approvals = {
    expiresAfterMs: script.expires ? 3_600_000 : null,
    quorum: script.quorum,
    fourEyes: false,
  };
  const run = await s.start({ agent: agent({ approvals }) });
  const callIds = await s.asks(run, 1, script.tools);
  await s.pause(run, 1, 1, callIds);

  let tick = 0;
  const sent: Sent[] = [];
  const facts: Fact[] = [];
  const statuses: string[] = [];
  const claims = new Map<string, ClaimedCall>();
  const idOf = (index: number): string => callIds[index % callIds.length] ?? '';
  const know = (what: Fact['what'], callId: string, n = 0): void =>
    void facts.push({ what, callId, n, known: ++tick });
  const stateOf = async (): Promise<readonly { call_id: string; state: string }[]> =>
    (
      await sql<{
        call_id: string;
        state: string;
      }>`select call_id, state from calls where run_id = ${run.runId}`.execute(bench.db.kysely)
    ).rows;

  async function claim(callId: string): Promise<ClaimedCall | undefined> {
    const got = await s.claim(run, callId);
    if (got.kind !== 'DISPATCH') return undefined;
    know('claimed', callId, got.call.n);
    return got.call;
  }
  async function check(callId: string, claimed: ClaimedCall): Promise<boolean> {
    const began = ++tick;
    if ((await store.asWorker((tx) => checkClaim(tx, run.runId, callId, claimed))) !== 'GO')
      return false;
    sent.push({ callId, n: claimed.n, text: claimed.arguments, began });
    return true;
  }
  const record = (callId: string, n: number, end: CallEnd) => s.record(run, callId, n, end);
  const answer: CallEnd = { kind: 'ANSWERED', result: 'ok', isError: false };
  const silence: CallEnd = { kind: 'UNANSWERED', evidence: 'no answer' };

  async function dispatch(
    callId: string,
    end: Extract<Op, { op: 'dispatch' }>['end'],
  ): Promise<void> {
    const claimed = await claim(callId);
    if (claimed === undefined || end === 'diesBefore') return;
    if (end === 'withdraw') return void (await record(callId, claimed.n, { kind: 'WITHDRAWN' }));
    if (!(await check(callId, claimed)) || end === 'dies') return;
    await record(callId, claimed.n, end === 'answer' ? answer : silence);
  }

  /** What stands REJECTED or LEFT now has been decided before this moment. */
  async function noteRejected(o?: { readonly action: Action }): Promise<void> {
    if (o?.action === 'APPROVE') return;
    for (const row of await stateOf())
      if (row.state === 'REJECTED' || row.state === 'LEFT') know('rejected', row.call_id);
  }

  async function askAgain(): Promise<void> {
    const { rows } = await sql<{ status: string; n: number }>`
      select status, (select max(n) from pauses p where p.run_id = r.run_id) as n from runs r where run_id = ${run.runId}`.execute(
      bench.db.kysely,
    );
    if (rows[0]?.status !== 'RUNNING') return;
    const states = await stateOf();
    const proposed = states.filter((row) => row.state === 'PROPOSED').map((row) => row.call_id);
    const unknown = states.filter((row) => row.state === 'UNKNOWN').map((row) => row.call_id);
    if (proposed.length > 0) await s.pause(run, 1, rows[0].n + 1, proposed);
    else if (unknown.length > 0) await s.pause(run, 1, rows[0].n + 1, unknown, 'OUTCOME_UNKNOWN');
  }

  async function voteOn(
    voter: Parameters<typeof s.vote>[1],
    callId: string,
    o: { action: Action; edit?: boolean },
  ): Promise<void> {
    const present = await sql<{
      pause_id: string | null;
    }>`select pause_id from runs where run_id = ${run.runId}`.execute(bench.db.kysely);
    const pauseId = present.rows[0]?.pause_id ?? undefined;
    const edited = o.edit && o.action === 'APPROVE' ? { arguments: { x: 2, by: 'edit' } } : {};
    await s.vote(
      run,
      voter,
      one(callId, o.action, edited, pauseId === undefined ? {} : { pauseId }),
    );
  }

  async function take(o: Op): Promise<void> {
    switch (o.op) {
      case 'vote':
        await voteOn(person(PEOPLE[o.who % 3] ?? 'lea'), idOf(o.call), o);
        return noteRejected(o);
      case 'voteAll':
        await s.vote(run, person(PEOPLE[o.who % 3] ?? 'lea'), all(o.action));
        return noteRejected(o);
      case 'operator':
        await voteOn({ kind: 'operator', allowed: 'full' }, idOf(o.call), o);
        return noteRejected(o);
      case 'dispatch':
        return dispatch(idOf(o.call), o.end);
      case 'claim': {
        const claimed = await claim(idOf(o.call));
        if (claimed !== undefined) claims.set(idOf(o.call), claimed);
        return;
      }
      case 'check': {
        const claimed = claims.get(idOf(o.call));
        if (claimed !== undefined) await check(idOf(o.call), claimed);
        return;
      }
      case 'interrupted': {
        const claimed = await claim(idOf(o.call));
        if (claimed === undefined) return;
        if (o.by === 'record') await record(idOf(o.call), claimed.n, answer);
        else if (o.by === 'cancel') await take({ op: 'cancel' });
        else if (o.by !== 'nothing') await take({ op: o.by, call: o.call });
        await check(idOf(o.call), claimed);
        return;
      }
      case 'record': {
        const claimed = claims.get(idOf(o.call));
        if (claimed !== undefined)
          await record(idOf(o.call), claimed.n, o.silent ? silence : answer);
        return;
      }
      case 'tamper':
        await sql`update calls set arguments = '{"x":666}' where call_id = ${idOf(o.call)}`.execute(
          bench.db.kysely,
        );
        return;
      case 'pauseAgain':
        await s.pause(run, 1, 1, callIds);
        return;
      case 'askAgain':
        return askAgain();
      case 'expire':
        await sql`update calls set expires_at = clock_timestamp() - interval '1 second' where run_id = ${run.runId} and expires_at is not null and pause_id is not null`.execute(
          bench.db.kysely,
        );
        await store.asWorker(async (tx) => {
          const locked = await lockRun(tx, run.runId);
          return locked && readPause(tx, locked, s.pauseId(run, 1, 1));
        });
        return noteRejected();
      case 'takeBack': {
        const withdrawal = { withdrawalId: randomUUID(), by: 'ada', message: 'Never mind.' };
        await store.asOrg(run.orgId, (tx) => withdrawCalls(tx, run.runId, withdrawal));
        return noteRejected();
      }
      case 'cancel':
        await s.cancel(run);
        return know('cancelled', '');
      case 'fail':
        await store.asReconciler((tx) =>
          settle(
            tx,
            run.runId,
            { kind: 'FAILED', failure: { code: 'TERMINATED', message: 'x' } },
            'test',
          ),
        );
        return know('cancelled', '');
    }
  }

  /** A refusal is an outcome; anything else that is thrown is a defect. */
  const attempt = (o: Op): Promise<void> =>
    take(o).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
    });
  for (const wave of script.waves) {
    if (bench.db.kind === 'postgres') await Promise.all(wave.map(attempt));
    else for (const o of wave) await attempt(o);
    const { rows } = await sql<{
      status: string;
    }>`select status from runs where run_id = ${run.runId}`.execute(bench.db.kysely);
    statuses.push(rows[0]?.status ?? 'GONE');
  }
  return { run, callIds, sent, facts, statuses };
}
