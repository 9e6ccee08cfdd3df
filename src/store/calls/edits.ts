// An approver's edit: it must fit the tool's schema, and the tool's rules judge it as they judge what
// a model asks for. What they refuse, or leave to other or more people, is no edit that one may make.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import { renderSentence } from '../../policy/sentence.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { LockedRun } from '../runs/runs.ts';
import { judgeAgain, policyAsJudged } from './judged-calls.ts';
import {
  voterProblem,
  type OpenCall,
  type Situation,
  type VoteOn,
  type Voter,
} from './vote-policy.ts';

type Arguments = Readonly<Record<string, unknown>>;

/** Checks an approver's edit against the tool's schema; its canonical text, or what is wrong. */
export type CheckEdit = (
  tool: ToolSnapshot,
  edited: Arguments,
) => { readonly canonical: string } | { readonly problem: string };

export interface Edit {
  /** Canonical JSON. */
  readonly text: string;
  /** Its sentence; null: the tool has none. */
  readonly summary: string | null;
}

interface EditToMake {
  readonly situation: Situation;
  readonly agent: AgentSnapshot;
  readonly voter: Voter;
  readonly call: OpenCall;
  readonly vote: VoteOn;
  readonly edited: Arguments;
}

export async function editOf(
  tx: StoreTransaction,
  run: LockedRun,
  checkEdit: CheckEdit,
  edit: EditToMake,
): Promise<Edit> {
  const { agent, call, edited } = edit;
  const pinned = agent.tools.find((t) => t.name === call.name);
  const tool = pinned?.kind === 'mcp' ? await asDeclaredNow(tx, pinned, call.callId) : pinned;
  if (tool === undefined) return refused(call, 'the tool is not known any more');
  const checked = checkEdit(tool, edited);
  if ('problem' in checked) return refused(call, checked.problem);
  const args = JSON.parse(checked.canonical) as Arguments;
  if (tool.rules !== undefined) await judgeEdit(tx, run, { ...edit, tool, args });
  return { text: checked.canonical, summary: renderSentence(tool, args) ?? null };
}

/** Where its server has changed it, what would be called is another one. */
async function asDeclaredNow(
  tx: StoreTransaction,
  tool: ToolSnapshot,
  callId: string,
): Promise<ToolSnapshot> {
  const { rows } = await sql<{ input: ToolSnapshot['input'] | null }>`
    select tool_now->'definition'->'inputSchema' as input from calls where call_id = ${callId}`.execute(
    tx.db,
  );
  const input = rows[0]?.input;
  return input == null ? tool : { ...tool, input };
}

async function judgeEdit(
  tx: StoreTransaction,
  run: LockedRun,
  e: EditToMake & { readonly tool: ToolSnapshot; readonly args: Arguments },
): Promise<void> {
  const { situation, agent, voter, call, vote, tool, args } = e;
  const judged = await judgeAgain(tx, run, agent, tool, { callId: call.callId, args });
  if (judged.refusal !== null) refusedByRules(call, judged.refusal);
  if (judged.then === 'never') return;
  if (judged.quorum > 1)
    refusedByRules(call, `With these arguments ${judged.quorum} people have to approve it.`);
  const { approvers, approversAlso = null } = policyAsJudged(tool, judged);
  const problem = voterProblem(situation, { ...call, approvers, approversAlso }, voter, 'APPROVE');
  if (problem !== undefined) refusedByRules(call, `With these arguments: ${problem}`);
  if (judged.risk === 'high' && vote.argumentsHash === undefined)
    throw new AppError(
      'CALL_ID_REQUIRED',
      `With these arguments ${call.name} is of high risk: approve it by callId "${call.callId}" with its argumentsHash.`,
    );
}

function refused(call: OpenCall, problem: string): never {
  throw new AppError(
    'INVALID_REQUEST',
    `The edited arguments of ${call.callId} do not fit the tool: ${problem}`,
    { errors: [{ path: 'arguments', message: problem }] },
  );
}

function refusedByRules(call: OpenCall, problem: string): never {
  throw new AppError(
    'INVALID_REQUEST',
    `The rules of ${call.name} do not let the edit of ${call.callId} be approved by you alone: ${problem}`,
    { errors: [{ path: 'arguments', message: problem }] },
  );
}
