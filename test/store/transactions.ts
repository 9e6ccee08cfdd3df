// Every function of the store that works in a transaction, with what is played twice of it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import * as restored from '../../src/store/after-restore.ts';
import type { StoreTransaction, Work } from '../../src/store/database/access.ts';
import { checkClaim, claimCall } from '../../src/store/calls/calls.ts';
import { recordCall, type CallEnd } from '../../src/store/calls/outcomes.ts';
import { readPause } from '../../src/store/calls/decisions.ts';
import { castVotes } from '../../src/store/calls/votes.ts';
import { appendDeltas } from '../../src/store/events/deltas.ts';
import * as outbox from '../../src/store/outbox.ts';
import { cancelRun, continueRun } from '../../src/store/runs/continue-run.ts';
import { beginFollowUps, recordFollowUps } from '../../src/store/runs/follow-ups.ts';
import { noteHeld } from '../../src/store/runs/held.ts';
import { keepFetched } from '../../src/store/runs/media.ts';
import { lockRun, startRun, type NewRun } from '../../src/store/runs/runs.ts';
import { retryRun } from '../../src/store/runs/retry.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { endWaiting, noteWaiting } from '../../src/store/runs/waiting.ts';
import { beatAttempt, endAttempt } from '../../src/store/turns/attempts.ts';
import { recordReply } from '../../src/store/turns/replies.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { agent, all, person, type Bench, type drive } from './fixture.ts';
import { GRANTS, KNOWLEDGE, READING, WEBHOOKS } from './reading-functions.ts';
import { AGREEMENT_ROWS } from './agreement-transactions.ts';

type Steps = ReturnType<typeof drive>;
/** Prepares a run, and gives what is then played twice. */
type Scenario = (s: Steps, bench: Bench) => Promise<{ runId: string; work: Work<unknown> }>;
export type Row =
  | { readonly scenarios: Readonly<Record<string, Scenario>>; readonly counts?: string }
  | { readonly reads: true }
  /** Played as a part of these. */
  | { readonly partOf: string }
  /** Written by ids of its own, tried where those are; not played twice here. */
  | { readonly elsewhere: string };

const reads = { reads: true } as const;
const usage = { promptTokens: 10, completionTokens: 1, estimated: false };
const noEdit = () => ({ problem: 'not edited here' });
const lea = person('lea');

/** Of a run that was only started; `id` is for what it makes. */
const ofStarted =
  (work: (tx: StoreTransaction, runId: string, id: string) => Promise<unknown>): Scenario =>
  async (s) => {
    const { runId } = await s.start();
    const id = randomUUID();
    return { runId, work: (tx) => work(tx, runId, id) };
  };
async function called(s: Steps, name: string, more: Partial<NewRun> = {}) {
  const run = await s.start(more);
  const [callId = ''] = await s.asks(run, 1, [name]);
  return { run, callId, runId: run.runId };
}
async function paused(s: Steps, name = 'send', more: Partial<NewRun> = {}) {
  const made = await called(s, name, more);
  await s.pause(made.run, 1, 1, [made.callId]);
  return made;
}
async function unknown(s: Steps) {
  const made = await called(s, 'note');
  const { n } = await s.goesOut(made.run, made.callId);
  await s.record(made.run, made.callId, n, { kind: 'UNANSWERED', evidence: 'cut' });
  await s.pause(made.run, 1, 1, [made.callId], 'OUTCOME_UNKNOWN');
  return made;
}
async function approved(s: Steps, name = 'send') {
  const made = await paused(s, name);
  await s.vote(made.run, lea, all('APPROVE'));
  return made;
}
const voting = (
  prepare: (s: Steps) => Promise<{ run: NewRun; callId: string }>,
  action: 'APPROVE' | 'REJECT',
  keyed = false,
): Scenario =>
  async function scenario(s) {
    const { run } = await prepare(s);
    const requestId = randomUUID();
    const key = {
      ...({ orgId: 'acme', caller: 'lea', route: 'continue', agentId: run.agent.id } as const),
      ...{ target: run.runId, key: randomUUID(), bodyHash: 'h', requestId },
    };
    const request = {
      ...{ runId: run.runId, voter: lea, vote: all(action, { id: requestId }), checkEdit: noEdit },
      ...(keyed ? { key } : {}),
    };
    return { runId: run.runId, work: (tx) => continueRun(tx, request) };
  };
const claiming = (prepare: (s: Steps) => Promise<{ run: NewRun; callId: string }>): Scenario =>
  async function scenario(s) {
    const { run, callId } = await prepare(s);
    const { runId } = run;
    const request = { runId, callId, attemptId: randomUUID(), versionNow: () => undefined };
    return { runId: run.runId, work: (tx) => claimCall(tx, request) };
  };
const recording = (
  prepare: (s: Steps) => Promise<{ run: NewRun; callId: string }>,
  end: CallEnd,
): Scenario =>
  async function scenario(s) {
    const { run, callId } = await prepare(s);
    const { n } = await s.goesOut(run, callId);
    return { runId: run.runId, work: (tx) => recordCall(tx, run.runId, callId, n, end) };
  };
const settling = (
  prepare: (s: Steps) => Promise<{ runId: string }>,
  settlement: Parameters<typeof settle>[2],
): Scenario =>
  async function scenario(s) {
    const { runId } = await prepare(s);
    return { runId, work: (tx) => settle(tx, runId, settlement, 'test') };
  };
const onLines = (work: (tx: StoreTransaction, ids: readonly number[]) => Promise<unknown>) =>
  async function scenario(s: Steps, { store }: Bench) {
    const { runId } = await s.start();
    const lines = await store.asReconciler((tx) =>
      outbox.leaseOutboxLines(tx, runId, 10, randomUUID()),
    );
    return {
      runId,
      work: (tx: StoreTransaction) =>
        work(
          tx,
          lines.map((line) => line.id),
        ),
    };
  };
const silence: CallEnd = { kind: 'UNANSWERED', evidence: 'cut' };
const answer: CallEnd = { kind: 'ANSWERED', result: 'ok', isError: false };
const failed = { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } } as const;

const each = (names: string, row: Row): Record<string, Row> =>
  Object.fromEntries(names.split(' ').map((name) => [name, row]));

export const ROWS: Readonly<Record<string, Row>> = {
  startRun: {
    scenarios: {
      'a first run': async (s) => {
        const run = { ...(await s.start()), runId: `run_${randomUUID()}`, sessionId: randomUUID() };
        return { runId: run.runId, work: (tx) => startRun(tx, run) };
      },
      'a run that waits for the one before': async (s) => {
        const first = await s.start();
        const run = { ...first, runId: `run_${randomUUID()}` };
        return { runId: run.runId, work: (tx) => startRun(tx, run) };
      },
    },
  },
  continueRun: {
    scenarios: {
      'an approval': voting(paused, 'APPROVE'),
      'a rejection': voting(paused, 'REJECT'),
      'one with a key': voting(paused, 'APPROVE', true),
      'leaving an unknown outcome': voting(unknown, 'REJECT'),
      'a vote that is refused': voting(unknown, 'APPROVE'),
    },
  },
  retryRun: {
    scenarios: {
      'a run that failed': async (s, { store }) => {
        const { runId } = await s.start();
        await store.asWorker((tx) => settle(tx, runId, failed, 'test'));
        const request = { runId, by: 'ada', retryId: randomUUID() };
        return { runId, work: (tx) => retryRun(tx, request) };
      },
    },
  },
  castVotes: {
    scenarios: {
      "an operator's rejection of an unknown outcome": async (s) => {
        const { run, runId } = await unknown(s);
        const request = all('REJECT', { id: randomUUID(), shownPauseId: s.pauseId(run, 1, 1) });
        const operator = { kind: 'operator', allowed: 'full' } as const;
        return {
          runId,
          work: async (tx) =>
            castVotes(tx, (await lockRun(tx, runId)) ?? assert.fail(), operator, request, noEdit),
        };
      },
    },
  },
  cancelRun: {
    scenarios: {
      'a paused run': async (s) => {
        const { runId } = await paused(s);
        return { runId, work: (tx) => cancelRun(tx, runId, 'ada') };
      },
    },
  },
  readPause: {
    scenarios: {
      'one whose time is over': async (s, { db }) => {
        const approvals = { expiresAfterMs: 1, quorum: 1, fourEyes: false };
        const { run, runId } = await paused(s, 'send', { agent: agent({ approvals }) });
        await sql`select pg_sleep(0.01)`.execute(db.kysely);
        return {
          runId,
          work: async (tx) =>
            readPause(tx, (await lockRun(tx, runId)) ?? assert.fail(), s.pauseId(run, 1, 1)),
        };
      },
    },
  },
  beginTurn: {
    scenarios: {
      'a first attempt': ofStarted((tx, runId, id) => beginTurn(tx, runId, 1, id)),
      'a later one': async (s, { store }) => {
        const { runId } = await s.start();
        await store.asWorker((tx) => beginTurn(tx, runId, 1, randomUUID()));
        const attemptId = randomUUID();
        return { runId, work: (tx) => beginTurn(tx, runId, 1, attemptId) };
      },
    },
  },
  recordReply: {
    scenarios: {
      'an answer': async (s, { store }) => {
        const { runId } = await s.start();
        const attemptId = randomUUID();
        await store.asWorker((tx) => beginTurn(tx, runId, 1, attemptId));
        const said = { kind: 'ANSWER', text: 'Hi', reasoning: '' } as const;
        const reply = { ...said, model: 'm', finishReason: 'stop', calls: [] };
        return {
          runId,
          // Without `first`, which is for the rest of the transaction that wrote the reply.
          work: async (tx) => {
            const written = await recordReply(tx, runId, 1, attemptId, reply, usage);
            return written.kind === 'RECORDED' ? written.reply : written;
          },
        };
      },
    },
  },
  claimCall: {
    scenarios: {
      'an unguarded call': claiming((s) => called(s, 'note')),
      'an approved one': claiming(approved),
      'one that went out': claiming(async (s) => {
        const made = await called(s, 'note');
        await s.goesOut(made.run, made.callId);
        return made;
      }),
      'one that went out and may be repeated': claiming(async (s) => {
        const made = await approved(s);
        await s.goesOut(made.run, made.callId);
        return made;
      }),
    },
  },
  checkClaim: {
    scenarios: {
      'one that may go': async (s) => {
        const { run, runId, callId } = await approved(s);
        const claim = await s.claim(run, callId);
        assert.ok(claim.kind === 'DISPATCH');
        return { runId, work: (tx) => checkClaim(tx, runId, callId, claim.call) };
      },
      'one that was changed': async (s, { db }) => {
        const { run, runId, callId } = await approved(s);
        const claim = await s.claim(run, callId);
        assert.ok(claim.kind === 'DISPATCH');
        await sql`update calls set arguments = '{"x":2}' where call_id = ${callId}`.execute(
          db.kysely,
        );
        return { runId, work: (tx) => checkClaim(tx, runId, callId, claim.call) };
      },
    },
  },
  recordCall: {
    scenarios: {
      'a result': recording(approved, answer),
      'a result with a picture': recording(approved, {
        ...answer,
        media: [{ type: 'image/png', bytes: Buffer.from('a picture') }],
      }),
      'no answer to one that may be repeated': recording(approved, silence),
      'no answer to one that must not be': recording((s) => called(s, 'note'), silence),
      'no answer after the end': async (s) => {
        const { run, runId, callId } = await called(s, 'note');
        const { n } = await s.goesOut(run, callId);
        await s.cancel(run);
        return { runId, work: (tx) => recordCall(tx, runId, callId, n, silence) };
      },
      'nothing sent': recording(approved, { kind: 'WITHDRAWN' }),
      'a late answer': async (s) => {
        const { run, runId, callId } = await called(s, 'note');
        const { n } = await s.goesOut(run, callId);
        await s.claim(run, callId);
        return { runId, work: (tx) => recordCall(tx, runId, callId, n, answer) };
      },
    },
  },
  settle: {
    scenarios: {
      'a pause': async (s) => {
        const { runId, callId } = await called(s, 'send');
        return settling(async () => ({ runId }), {
          ...{ kind: 'PAUSED', turn: 1, n: 1, pauseKind: 'APPROVAL', callIds: [callId] },
        })(s, undefined as never);
      },
      'a pause of calls that do not wait': async (s) => {
        const { runId, callId } = await approved(s);
        return settling(async () => ({ runId }), {
          ...{ kind: 'PAUSED', turn: 1, n: 2, pauseKind: 'OUTCOME_UNKNOWN', callIds: [callId] },
        })(s, undefined as never);
      },
      'a failure': settling((s) => s.start(), failed),
      'a completion': async (s, { db }) => {
        const run = await s.start();
        await s.answers(run, 1, 'done');
        await sql`update runs set status = 'RUNNING', closed_at = null where run_id = ${run.runId}`.execute(
          db.kysely,
        );
        return settling(async () => run, { kind: 'COMPLETED', turn: 1 })(s, undefined as never);
      },
      'a completion whose record is lost': settling(approved, { kind: 'COMPLETED', turn: 1 }),
    },
  },
  beginFollowUps: {
    scenarios: {
      'an attempt': ofStarted((tx, runId, id) => beginFollowUps(tx, runId, 1, id)),
    },
  },
  recordFollowUps: {
    scenarios: {
      questions: async (s, { store }) => {
        const { runId } = await s.start();
        const attemptId = randomUUID();
        await store.asWorker((tx) => beginFollowUps(tx, runId, 1, attemptId));
        const found = { questions: ['And then?'], usage };
        return { runId, work: (tx) => recordFollowUps(tx, runId, attemptId, found) };
      },
    },
  },
  endAttempt: {
    scenarios: {
      'with its tokens': async (s, { store }) => {
        const { runId } = await s.start();
        const attemptId = randomUUID();
        await store.asWorker((tx) => beginTurn(tx, runId, 1, attemptId));
        return { runId, work: (tx) => endAttempt(tx, runId, attemptId, { usage }) };
      },
    },
  },
  beatAttempt: {
    scenarios: {
      'a beat': async (s, { store }) => {
        const { runId } = await s.start();
        const attemptId = randomUUID();
        await store.asWorker((tx) => beginTurn(tx, runId, 1, attemptId));
        return { runId, work: (tx) => beatAttempt(tx, attemptId) };
      },
    },
  },
  keepFetched: {
    scenarios: {
      bytes: async (s) => {
        const { runId, orgId } = await s.start({
          media: [{ type: 'image/png', url: 'https://pictures.example/1' }],
        });
        return {
          runId,
          work: (tx) => keepFetched(tx, { runId, orgId, idx: 0 }, Buffer.from('x')),
        };
      },
    },
  },
  appendDeltas: {
    scenarios: {
      'a chunk': async (s) => {
        const { runId, orgId } = await s.start();
        const delta = { seq: 1, offset: 0, kind: 'CONTENT', text: 'a', at: new Date(0) } as never;
        return { runId, work: (tx) => appendDeltas(tx, runId, orgId, [delta]) };
      },
    },
  },
  leaseOutboxLines: {
    scenarios: {
      'of one run': ofStarted((tx, runId, id) => outbox.leaseOutboxLines(tx, runId, 10, id)),
    },
  },
  acknowledgeOutboxLines: { scenarios: { lines: onLines(outbox.acknowledgeOutboxLines) } },
  returnOutboxLines: { scenarios: { lines: onLines(outbox.returnOutboxLines) } },
  endRestoredRun: {
    scenarios: {
      'an open run': async (s) => {
        const { runId } = await approved(s);
        return { runId, work: (tx) => restored.endRestoredRun(tx, runId, failed, 'old') };
      },
    },
  },
  markDispatched: {
    scenarios: {
      'a call that was begun': async (s) => {
        const { runId, callId } = await approved(s);
        return { runId, work: (tx) => restored.markDispatched(tx, runId, [callId]) };
      },
    },
  },
  ...each(READING, reads),
  ...each(WEBHOOKS, { elsewhere: 'test/store/webhooks-contract.ts' }),
  ...each(GRANTS, { elsewhere: 'test/store/grants-contract.ts' }),
  ...each('withdrawCalls startOrWithdraw', { elsewhere: 'test/store/withdraw-contract.ts' }),
  settleUnknown: { elsewhere: 'test/store/reconciled-contract.ts' },
  ...each(KNOWLEDGE, { elsewhere: 'test/store/knowledge-contract.ts' }),
  ...each('audit markUnknown openPause appendEvents appendEvent releaseNextOfSession', {
    partOf: 'settle',
  }),
  ...AGREEMENT_ROWS,
  ...each('countRequests forgetRequests', { elsewhere: 'test/api/request-counts.test.ts' }),
  ...each('auditOnce unanswered finish attachToCall', { partOf: 'recordCall' }),
  ...each('decide expireDue resumeIfDecided', { partOf: 'castVotes' }),
  ...each('addOutboxLine attachMedia', { partOf: 'startRun' }),
  acknowledgeStart: { partOf: 'beginTurn' },
  ...each('changeOf takeGrant takeEffect keptByEffect', { partOf: 'claimCall' }),
  proposeAgain: { partOf: 'checkClaim' },
  noteWaiting: {
    scenarios: {
      'a model that is away': ofStarted((tx, runId) => {
        const since = '2030-01-01T00:00:00.000Z';
        const waiting = { what: 'MODEL', since, lastProblem: 'x', turn: 1, tries: 0 };
        return noteWaiting(tx, runId, waiting as never);
      }),
    },
  },
  endWaiting: {
    scenarios: {
      'a model that speaks again': ofStarted((tx, runId) => endWaiting(tx, runId)),
    },
  },
  noteHeld: {
    scenarios: {
      'a run that an operator holds': ofStarted((tx, runId) => noteHeld(tx, runId, true)),
    },
  },
  takeKey: { partOf: 'continueRun' },
  reopenCalls: { partOf: 'retryRun' },
  // In the transaction of recordReply, only where that has just written the reply.
  ...each('repeatReply refuseRejectedBefore takeEffects', { partOf: 'recordReply' }),
  // What is found and mended is found mended: the second answer says that nothing is left to do.
  ...each('releaseStranded sealLines', { partOf: 'startRun' }),
  withdrawStartsOfEnded: { partOf: 'endRestoredRun' },
  // Gone, or not there: both are the same answer to a caller (test/api/sessions.test.ts).
  ...each('deleteSession deleteFromTemporal', { partOf: 'startRun' }),
};
