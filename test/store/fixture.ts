// A store with an agent in it, and the steps of a run's way as a worker takes them.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { v7 } from 'uuid';
import type { AgentSnapshot, ToolSnapshot } from '../../src/contract/agent.ts';
import { AppError, type ProblemCode } from '../../src/contract/errors.ts';
import type { Settled } from '../../src/contract/turn.ts';
import { canonicalJson } from '../../src/json/canonical.ts';
import { createStore, type Store, type StoreTransaction } from '../../src/store/database/access.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { createAnnouncer } from '../../src/store/events/notifications.ts';
import {
  checkClaim,
  claimCall,
  type Claim,
  type ClaimedCall,
} from '../../src/store/calls/calls.ts';
import { recordCall, type CallEnd } from '../../src/store/calls/outcomes.ts';
import { approvedToolVersion } from '../../src/store/calls/approved-tool.ts';
import { callIdOf, hashOfCall, pauseIdOf } from '../../src/store/calls/call-hash.ts';
import { cancelRun } from '../../src/store/runs/continue-run.ts';
import { openPglite, openPostgres, type Database } from '../../src/store/database/database.ts';
import { castVotes } from '../../src/store/calls/votes.ts';
import type { Voter, VoteRequest } from '../../src/store/calls/vote-policy.ts';
import { migrateToLatest } from '../../src/store/database/migrate.ts';
import { lockRun, startRun, type NewRun } from '../../src/store/runs/runs.ts';
import { renderSentence } from '../../src/policy/sentence.ts';
import { readRun, type RunRecord } from '../../src/store/queries/run-record.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { activeMsSince } from '../../src/store/turns/attempts.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { recordReply, type StoredCall } from '../../src/store/turns/replies.ts';

export const tool = (name: string, more: Partial<ToolSnapshot> = {}): ToolSnapshot => ({
  name,
  description: `The tool ${name}.`,
  input: { type: 'object', additionalProperties: true },
  kind: 'http',
  version: 'v1',
  readOnly: false,
  idempotent: true,
  quick: false,
  approval: 'required',
  risk: 'normal',
  approvers: null,
  timeoutMs: 10_000,
  ...more,
});

export const agent = (more: Partial<AgentSnapshot> = {}): AgentSnapshot => ({
  revision: `r-${JSON.stringify(more).length}-${randomUUID().slice(0, 8)}`,
  id: 'agent',
  name: 'Agent',
  description: '',
  active: true,
  orgs: null,
  model: 'm',
  models: ['m'],
  fallbackModels: [],
  vision: false,
  audio: false,
  temperature: null,
  maxTokens: null,
  instructions: 'Do it.',
  tools: [
    tool('send'),
    tool('look', { approval: 'never', readOnly: true }),
    tool('pay', { idempotent: false }),
    tool('note', { approval: 'never', idempotent: false }),
  ],
  limits: {
    maxTurns: 25,
    maxToolCalls: 50,
    maxRepeats: 3,
    maxTotalTokens: 1_000_000,
    historyTokens: 32_000,
    timeoutMs: 240_000,
  },
  approvals: { expiresAfterMs: null, quorum: 1, fourEyes: false },
  ...more,
});

export interface Bench {
  readonly store: Store;
  readonly db: Database;
  readonly close: () => Promise<void>;
}

export async function openBench(url?: string): Promise<Bench> {
  const db = url === undefined ? await openPglite() : await openPostgres(url);
  await migrateToLatest(db);
  const announcer = createAnnouncer(db);
  return {
    db,
    store: createStore(db, announcer),
    close: async () => {
      await announcer.close();
      await db.close();
    },
  };
}

export interface OnPostgres {
  readonly postgres: PostgresRig;
  readonly bench: Bench;
}

/**
 * Called in a suite: a database on a real PostgreSQL before its tests, gone after them; skips with
 * the reason where there is none.
 */
export function onPostgres(): OnPostgres {
  let postgres: PostgresRig | undefined;
  let bench: Bench | undefined;
  const made = <T>(thing: T | undefined): T => {
    if (thing === undefined) throw new Error('only within the tests of the suite');
    return thing;
  };
  before(async function () {
    postgres = await postgresOrSkip(this);
    bench = await openBench(await postgres.createDatabase());
  });
  after(async () => {
    await bench?.close();
    await postgres?.stop();
  });
  return {
    get postgres() {
      return made(postgres);
    },
    get bench() {
      return made(bench);
    },
  };
}

export const person = (
  subject: string,
  more: Partial<Extract<Voter, { kind: 'person' }>> = {},
): Voter => ({
  kind: 'person',
  subject,
  roles: [],
  service: false,
  ...more,
});
export const all = (
  action: 'APPROVE' | 'REJECT',
  more: Partial<VoteRequest> = {},
): VoteRequest => ({
  votes: { all: { action } },
  ...more,
});
export const one = (
  callId: string,
  action: 'APPROVE' | 'REJECT',
  more: object = {},
  request: Partial<VoteRequest> = {},
): VoteRequest => ({
  votes: { each: [{ callId, action, ...more }] },
  ...request,
});

/** The way of a run, a step a method. */
export function drive(store: Store) {
  const self = {
    start: async (more: Partial<NewRun> = {}): Promise<NewRun> => {
      const run: NewRun = {
        runId: `run_${v7()}`,
        orgId: 'acme',
        agent: agent(),
        userId: 'ada',
        startedBy: 'ada',
        sessionId: randomUUID(),
        input: 'Hello',
        options: {},
        generateFollowups: false,
        requestId: 'req',
        ...more,
      };
      await store.asOrg(run.orgId, (tx) => startRun(tx, run));
      return run;
    },
    /** The model asks for these tools in one turn. Their call ids. */
    asks: async (
      run: NewRun,
      turn: number,
      names: readonly string[],
      args = '{"x":1}',
    ): Promise<readonly string[]> => {
      const attemptId = randomUUID();
      await store.asWorker((tx) => beginTurn(tx, run.runId, turn, attemptId));
      const calls = names.map((name, idx): StoredCall => {
        const callId = callIdOf(run.runId, turn, idx);
        const t = run.agent.tools.find((x) => x.name === name) ?? tool(name);
        const policy = {
          approval: t.approval,
          risk: t.risk,
          retry: t.readOnly ? 'readOnly' : t.idempotent ? 'idempotent' : 'never',
          approvers: t.approvers,
        } as const;
        const summary = renderSentence(t, JSON.parse(args) as Record<string, unknown>);
        const toolVersion = approvedToolVersion(t, run.agent.approvals, policy);
        const hashed = {
          orgId: run.orgId,
          runId: run.runId,
          callId,
          tool: name,
          toolVersion,
          arguments: args,
          summary,
        };
        return {
          ...(summary === undefined ? {} : { summary }),
          callId,
          idx,
          name,
          toolVersion,
          arguments: args,
          argumentsHash: hashOfCall(hashed),
          ...policy,
          refusal: null,
        };
      });
      const usage = { promptTokens: 10, completionTokens: 1, estimated: false };
      await store.asWorker((tx) =>
        recordReply(
          tx,
          run.runId,
          turn,
          attemptId,
          { kind: 'CALLS', text: '', reasoning: '', model: 'm', finishReason: 'tool_calls', calls },
          usage,
          run.agent,
        ),
      );
      return calls.map((call) => call.callId);
    },
    answers: async (run: NewRun, turn: number, text: string): Promise<Settled | undefined> => {
      const attemptId = randomUUID();
      await store.asWorker((tx) => beginTurn(tx, run.runId, turn, attemptId));
      const usage = { promptTokens: 10, completionTokens: 1, estimated: false };
      await store.asWorker((tx) =>
        recordReply(
          tx,
          run.runId,
          turn,
          attemptId,
          { kind: 'ANSWER', text, reasoning: '', model: 'm', finishReason: 'stop', calls: [] },
          usage,
        ),
      );
      return store.asWorker((tx) => settle(tx, run.runId, { kind: 'COMPLETED', turn }, 'test'));
    },
    pause: (
      run: NewRun,
      turn: number,
      n: number,
      callIds: readonly string[],
      pauseKind: 'APPROVAL' | 'OUTCOME_UNKNOWN' = 'APPROVAL',
    ) =>
      store.asWorker((tx) =>
        settle(tx, run.runId, { kind: 'PAUSED', turn, n, pauseKind, callIds }, 'test'),
      ),
    pauseId: (run: NewRun, turn: number, n: number) => pauseIdOf(run.runId, turn, n),
    vote: async (run: NewRun, voter: Voter, request: VoteRequest): Promise<void> => {
      const result = await store.asOrg(run.orgId, async (tx) => {
        const locked = await lockRun(tx, run.runId);
        if (locked === undefined) throw new Error('no run');
        return castVotes(tx, locked, voter, request, (_tool, edited) => ({
          canonical: canonicalJson(edited),
        }));
      });
      if ('refused' in result) throw result.refused;
    },
    cancel: (run: NewRun) => store.asOrg(run.orgId, (tx) => cancelRun(tx, run.runId, 'ada')),
    claim: (run: NewRun, callId: string, versionNow?: string): Promise<Claim> =>
      store.asWorker((tx) =>
        claimCall(tx, {
          runId: run.runId,
          callId,
          attemptId: randomUUID(),
          versionNow: () => versionNow,
        }),
      ),
    /** Claimed, and looked at once more before its first byte. */
    goesOut: async (run: NewRun, callId: string): Promise<ClaimedCall> => {
      const claim = await self.claim(run, callId);
      if (claim.kind !== 'DISPATCH') throw new Error(`no claim: ${claim.kind}`);
      const check = await store.asWorker((tx) => checkClaim(tx, run.runId, callId, claim.call));
      if (check !== 'GO') throw new Error(`not to be sent: ${check}`);
      return claim.call;
    },
    record: (
      run: NewRun,
      callId: string,
      n: number,
      end: CallEnd = { kind: 'ANSWERED', result: 'ok', isError: false },
    ) => store.asWorker((tx) => recordCall(tx, run.runId, callId, n, end)),
    read: async (run: NewRun): Promise<RunRecord> => {
      const record = await store.asOrg(run.orgId, (tx) => readRun(tx, run.orgId, run.runId));
      if (record === undefined) throw new Error('no such run');
      return record;
    },
  };
  return self;
}

export const refusedAs = (code: ProblemCode) => (error: unknown) =>
  error instanceof AppError && error.code === code;

/** What counts against `limits.timeoutMs`. */
export async function activeMsOf(tx: StoreTransaction, runId: string): Promise<number> {
  const { rows } = await sql<{ ms: number }>`
    select ${activeMsSince(runId)} as ms from runs r where r.run_id = ${runId}`.execute(tx.db);
  return rows[0]?.ms ?? 0;
}
