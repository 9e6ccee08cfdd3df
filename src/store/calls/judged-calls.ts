// Rules over arguments, applied where a call is stored: to the calls of a new turn, to an approver's
// edit, and to a call that is proposed again. What they are judged by is read under the run's lock;
// the judging itself is policy/judge.ts's.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import { judgeCall, type Judgement } from '../../policy/judge.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { LockedRun } from '../runs/runs.ts';
import type { StoredCall } from '../turns/replies.ts';
import { approvedToolVersion, policyOf, type CallPolicy } from './approved-tool.ts';
import { hashOfCall } from './call-hash.ts';

type Arguments = Readonly<Record<string, unknown>>;
type Agent = Pick<AgentSnapshot, 'id' | 'tools' | 'approvals'>;

interface Earlier {
  readonly turn: number;
  readonly idx: number;
  readonly name: string;
  readonly args: Arguments;
}

interface RunFacts {
  readonly roles: readonly string[] | null;
  /** Of the tools in question, in call order. */
  readonly calls: readonly Earlier[];
}

/** The calls of a new turn, each with what its tool's rules say; the others as they are. */
export async function judgeCalls(
  tx: StoreTransaction,
  run: LockedRun,
  agent: Agent,
  turn: number,
  calls: readonly StoredCall[],
): Promise<readonly StoredCall[]> {
  const toolOf = new Map(
    agent.tools.flatMap((tool) => (tool.rules === undefined ? [] : [[tool.name, tool] as const])),
  );
  const ruled = calls.filter((call) => call.refusal === null && toolOf.has(call.name));
  if (ruled.length === 0) return calls;
  const facts = await readFacts(
    tx,
    run,
    ruled.map((call) => call.name),
    { turn, idx: 0 },
  );
  const before = [...facts.calls];
  return calls.map((call) => {
    const tool = toolOf.get(call.name);
    if (tool === undefined || call.refusal !== null) return call;
    const args = JSON.parse(call.arguments) as Arguments;
    const judged = judgeCall(tool, agent.approvals.quorum, {
      ...factsOf(run, agent, facts.roles),
      args,
      earlier: before.filter((one) => one.name === call.name).map((one) => one.args),
    });
    // Each counts for those behind it in the turn, though people may still reject it.
    if (judged.refusal === null) before.push({ turn, idx: call.idx, name: call.name, args });
    return asJudged(run, agent, tool, call, judged);
  });
}

function asJudged(
  run: LockedRun,
  agent: Agent,
  tool: ToolSnapshot,
  call: StoredCall,
  judged: Judgement,
): StoredCall {
  const policy = policyAsJudged(tool, judged);
  const toolVersion = approvedToolVersion(tool, agent.approvals, policy);
  const argumentsHash = hashOfCall({
    orgId: run.orgId,
    runId: run.runId,
    callId: call.callId,
    tool: call.name,
    toolVersion,
    arguments: call.arguments,
    summary: call.summary,
  });
  return { ...call, ...policy, toolVersion, argumentsHash, refusal: judged.refusal };
}

/** What a judgement makes of the policy that the tool declares. */
export function policyAsJudged(tool: ToolSnapshot, judged: Judgement): CallPolicy {
  const [approvers = null, ...also] = judged.approvers;
  return {
    ...policyOf(tool),
    approval: judged.then === 'never' ? 'never' : 'required',
    risk: judged.risk,
    approvers,
    approversAlso: also.length === 0 ? null : also,
    quorum: judged.quorum,
    rules: judged.rules,
  };
}

/** One call that is in the record already, with other arguments or once more. */
export async function judgeAgain(
  tx: StoreTransaction,
  run: LockedRun,
  agent: Agent,
  tool: ToolSnapshot,
  { callId, args }: { readonly callId: string; readonly args: Arguments },
): Promise<Judgement> {
  const { rows } = await sql<{ turn: number; idx: number }>`
    select turn, idx from calls where call_id = ${callId} and run_id = ${run.runId}`.execute(tx.db);
  const { roles, calls } = await readFacts(tx, run, [tool.name], rows[0] ?? { turn: 0, idx: 0 });
  return judgeCall(tool, agent.approvals.quorum, {
    ...factsOf(run, agent, roles),
    args,
    earlier: calls.map((one) => one.args),
  });
}

const factsOf = (
  run: LockedRun,
  agent: Agent,
  roles: readonly string[] | null,
): {
  readonly user: { readonly id: string; readonly roles: readonly string[] | null };
  readonly orgId: string;
  readonly agentId: string;
} => ({ user: { id: run.userId, roles }, orgId: run.orgId, agentId: agent.id });

/** Calls before a place in the run; rejected and refused ones do not count. */
async function readFacts(
  tx: StoreTransaction,
  run: LockedRun,
  names: readonly string[],
  before: { readonly turn: number; readonly idx: number },
): Promise<RunFacts> {
  const { rows } = await sql<{
    roles: string[] | null;
    calls: (Omit<Earlier, 'args'> & { text: string })[];
  }>`
    select r.user_roles as roles, coalesce((
      select jsonb_agg(jsonb_build_object('turn', c.turn, 'idx', c.idx, 'name', c.name, 'text', c.arguments) order by c.turn, c.idx)
      from calls c where c.run_id = r.run_id and c.name = any(${names}) and (c.turn, c.idx) < (${before.turn}::int, ${before.idx}::int)
        and c.state <> 'REJECTED' and not (c.state = 'FAILED' and c.dispatch_n = 0)), '[]') as calls
    from runs r where r.run_id = ${run.runId}`.execute(tx.db);
  const [row] = rows;
  const calls = (row?.calls ?? []).map(({ text, ...call }) => ({
    ...call,
    args: JSON.parse(text) as Arguments,
  }));
  return { roles: row?.roles ?? null, calls };
}
