// Plays the worker's part for API tests: moves runs in the store as the message of each says, by
// the store's own functions. "answer" completes, "pause" asks about a call first ("pause twice" two
// after each other), "away" is never taken by Temporal, anything else stays as it is.

import { randomUUID } from 'node:crypto';
import type { AgentSnapshot } from '../../src/contract/agent.ts';
import type { Store } from '../../src/store/database/access.ts';
import { callIdOf, hashOfCall } from '../../src/store/calls/call-hash.ts';
import { claimCall } from '../../src/store/calls/calls.ts';
import { recordCall, type CallEnd } from '../../src/store/calls/outcomes.ts';
import { readRuns, type RunRecord } from '../../src/store/queries/run-record.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { recordReply, type StoredCall } from '../../src/store/turns/replies.ts';
import { sql } from 'kysely';

const USAGE = { promptTokens: 10, completionTokens: 2, estimated: false };

export interface PlayedRuns {
  /** As AppDeps.send. */
  readonly send: (runId: string) => Promise<boolean>;
  readonly complete: (runId: string, turn: number) => Promise<void>;
  /** A turn that asks for calls of these tools. */
  readonly ask: (
    runId: string,
    turn: number,
    tools: readonly string[],
  ) => Promise<readonly string[]>;
  readonly pause: (
    runId: string,
    turn: number,
    n: number,
    kind: 'APPROVAL' | 'OUTCOME_UNKNOWN',
    callIds: readonly string[],
  ) => Promise<void>;
  /** Claims the call and records what came of it. */
  readonly dispatch: (runId: string, callId: string, end: CallEnd | 'NEVER') => Promise<void>;
}

export function createPlayedRuns(store: Store): PlayedRuns {
  const record = async (runId: string): Promise<RunRecord> => {
    const [run] = await store.asWorker((tx) => readRuns(tx, sql`r.run_id = ${runId}`));
    if (run === undefined) throw new Error(`no run ${runId}`);
    return run;
  };
  const agentOf = async (runId: string): Promise<AgentSnapshot> => {
    const begun = await store.asWorker(async (tx) => {
      const { rows } = await sql<{
        body: AgentSnapshot;
      }>`select s.body from runs r join agent_snapshots s using (revision) where r.run_id = ${runId}`.execute(
        tx.db,
      );
      return rows[0]?.body;
    });
    if (begun === undefined) throw new Error('no agent');
    return begun;
  };

  const reply = async (
    runId: string,
    turn: number,
    kind: 'ANSWER' | 'CALLS',
    calls: readonly StoredCall[],
  ): Promise<void> => {
    const attempt = randomUUID();
    await store.asWorker((tx) => beginTurn(tx, runId, turn, attempt));
    const text = kind === 'ANSWER' ? 'The answer.' : `Turn ${turn}: I look.`;
    await store.asWorker((tx) =>
      recordReply(
        tx,
        runId,
        turn,
        attempt,
        {
          kind,
          text,
          reasoning: `Turn ${turn}: I think.`,
          model: 'gpt-4o',
          finishReason: 'stop',
          calls,
        },
        USAGE,
      ),
    );
  };

  const complete: PlayedRuns['complete'] = async (runId, turn) => {
    await reply(runId, turn, 'ANSWER', []);
    await store.asWorker((tx) => settle(tx, runId, { kind: 'COMPLETED', turn }, 'test'));
  };

  const ask: PlayedRuns['ask'] = async (runId, turn, tools) => {
    const agent = await agentOf(runId);
    const { orgId } = await record(runId);
    const calls = tools.map((name, idx): StoredCall => {
      const tool = agent.tools.find((t) => t.name === name);
      if (tool === undefined) throw new Error(`no tool ${name}`);
      const callId = callIdOf(runId, turn, idx);
      const text = `{"to":"ada","turn":${turn}}`;
      const retry = tool.readOnly ? 'readOnly' : tool.idempotent ? 'idempotent' : 'never';
      return {
        ...{
          callId,
          idx,
          name,
          toolVersion: tool.version,
          arguments: text,
          approval: tool.approval,
          risk: tool.risk,
          retry,
          approvers: tool.approvers,
          refusal: null,
        },
        argumentsHash: hashOfCall({
          orgId,
          runId,
          callId,
          tool: name,
          toolVersion: tool.version,
          arguments: text,
        }),
      };
    });
    await reply(runId, turn, 'CALLS', calls);
    return calls.map((call) => call.callId);
  };

  const pause: PlayedRuns['pause'] = async (runId, turn, n, pauseKind, callIds) => {
    await store.asWorker((tx) =>
      settle(tx, runId, { kind: 'PAUSED', turn, n, pauseKind, callIds }, 'test'),
    );
  };

  const dispatch: PlayedRuns['dispatch'] = async (runId, callId, end) => {
    const claim = await store.asWorker((tx) =>
      claimCall(tx, { runId, callId, attemptId: randomUUID(), versionNow: () => undefined }),
    );
    if (claim.kind !== 'DISPATCH') throw new Error(`claim ${claim.kind}`);
    if (end !== 'NEVER')
      await store.asWorker((tx) => recordCall(tx, runId, callId, claim.call.n, end));
  };

  async function play(runId: string): Promise<void> {
    const run = await record(runId);
    const asksAt = (turn: number): boolean =>
      run.input.startsWith('pause') && (turn === 1 || (turn === 2 && run.input.includes('twice')));
    if (run.status !== 'QUEUED' && run.status !== 'RUNNING') return;
    if (!/^(answer|pause)/.test(run.input)) return;
    const turns = Math.max(0, ...run.calls.map((call) => call.turn));
    for (const call of run.calls)
      if (call.state === 'APPROVED' || (call.state === 'PROPOSED' && !call.guarded))
        await dispatch(runId, call.callId, { kind: 'ANSWERED', result: 'sent', isError: false });
    // Of a run that was taken up again the workflow would ask about them once more.
    await store.asWorker((tx) =>
      sql`update calls set state = 'REJECTED', result = 'Not wanted any more.'
        where run_id = ${runId} and state = 'PROPOSED' and approval = 'required'`.execute(tx.db),
    );
    const turn = turns + 1;
    if (!asksAt(turn)) return complete(runId, turn);
    const agent = await agentOf(runId);
    const tools = toolsOf(run.input);
    const asked = await ask(runId, turn, tools);
    const guarded = asked.filter(
      (_, i) => agent.tools.find((t) => t.name === tools[i])?.approval === 'required',
    );
    await pause(runId, turn, 1, 'APPROVAL', guarded);
  }
  return {
    complete,
    ask,
    pause,
    dispatch,
    send: async (runId) => {
      const { input } = await record(runId);
      if (input.startsWith('away')) return false;
      setImmediate(() => void play(runId).catch((error: unknown) => console.error(error)));
      return true;
    },
  };
}

/** "pause: send_email, pay" */
const toolsOf = (input: string): readonly string[] =>
  /: ([\w, ]+)$/.exec(input)?.[1]?.split(', ') ?? ['send_email'];
