// A call that is no longer what was approved is proposed again as it is now; one that needed no
// approval is not run.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { audit } from '../audit.ts';
import { renderSentence } from '../../policy/sentence.ts';
import type { McpDefinition, ToolSnapshot } from '../../contract/agent.ts';
import type { LockedRun } from '../runs/runs.ts';
import {
  approvedToolVersion,
  isApprovedToolVersion,
  policyOf,
  type CallPolicy,
} from './approved-tool.ts';
import { hashOfCall } from './call-hash.ts';
import { hashNow, type CallRow } from './call-row.ts';
import { judgeAgain, policyAsJudged } from './judged-calls.ts';
import { finish } from './outcomes.ts';

/** A tool as it is now. */
export interface ToolNow {
  readonly version: string;
  /** Of a tool of a server: what that declares; null: nothing of this name. */
  readonly definition?: McpDefinition | null;
}

type Changed = { readonly kind: 'ASK_AGAIN' } | { readonly kind: 'DONE'; readonly result: string };

/**
 * Is it still what was approved (or, unguarded, what the model asked for)? If not, it is proposed
 * again as it is now.
 */
export async function changeOf(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  tool: ToolSnapshot,
  declared: ToolNow | undefined,
): Promise<Changed | undefined> {
  const now = hashNow(run, callId, row);
  const bound = isApprovedToolVersion(row.tool_version);
  const toolNow = { ...tool, version: declared?.version ?? tool.version };
  const versionOf = (policy: CallPolicy): string | undefined =>
    bound ? approvedToolVersion(toolNow, row.agent.approvals, policy) : declared?.version;
  const versionNow = versionOf(row);
  const toolChanged = versionNow !== undefined && versionNow !== row.tool_version;
  const textChanged =
    now !== (row.approval === 'required' ? row.approved_hash : row.arguments_hash);
  // The code of a tool that needs no approval may change under its calls; the policy by which it
  // needed none may not.
  const guarded = row.approval === 'required' || tool.approval === 'required';
  // A server may change what its tool does, and say so or not: nobody calls it unseen.
  const unseen = toolChanged && declared?.definition !== undefined;
  if (!textChanged && !(toolChanged && guarded) && !unseen) return undefined;
  if (row.approval === 'never' && unseen && !textChanged) {
    // The file's word that it may be repeated was about the other one.
    const policy: CallPolicy = { ...policyOf(tool), approval: 'required', retry: 'never' };
    return proposeAgain(tx, run, callId, row, 'TOOL_CHANGED', {
      ...{ policy, toolVersion: versionOf(policy), tool, now: declared },
    });
  }
  if (row.approval === 'required') {
    const told = await toldPolicy(tx, run, callId, row, tool);
    if (typeof told === 'string') {
      finish(tx, run, callId, row, { state: 'FAILED', result: told });
      return { kind: 'DONE', result: told };
    }
    const policy = policyToAskUnder(row, told, tool, toolNow);
    const toolVersion = versionOf(policy);
    const why = textChanged ? 'ARGUMENTS_CHANGED' : 'TOOL_CHANGED';
    return proposeAgain(tx, run, callId, row, why, {
      ...{ policy, toolVersion, tool, now: toolChanged ? declared : undefined },
    });
  }
  const what = textChanged ? 'its stored arguments were' : 'the policy of its tool was';
  const result = `This call was not run: ${what} changed after the model had asked for it.`;
  finish(tx, run, callId, row, { state: 'FAILED', result });
  return { kind: 'DONE', result };
}

/**
 * A row that was changed does not say who is asked: the snapshot does, where it is what the call was
 * proposed under. Where the snapshot is what was changed, the row still says it; a row that takes
 * anybody is not believed then.
 */
function policyToAskUnder(
  row: CallRow,
  told: CallPolicy,
  tool: ToolSnapshot,
  toolNow: ToolSnapshot,
): CallPolicy {
  const unchanged = [tool, toolNow].some(
    (each) => approvedToolVersion(each, row.agent.approvals, told) === row.tool_version,
  );
  if (unchanged) return told;
  if (tool.rules !== undefined) return told;
  const { approval, risk, retry, approvers } = row;
  return { approval, risk, retry, approvers: approvers ?? told.approvers };
}

/** What the snapshot says of the call as it stands; a text where its rules refuse it. */
async function toldPolicy(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  tool: ToolSnapshot,
): Promise<CallPolicy | string> {
  if (tool.rules === undefined || !isObject(row.arguments)) return policyOf(tool);
  const args = JSON.parse(row.arguments) as Readonly<Record<string, unknown>>;
  const judged = await judgeAgain(tx, run, row.agent, tool, { callId, args });
  return judged.refusal ?? { ...policyAsJudged(tool, judged), approval: 'required' };
}

interface AskedUnder {
  readonly policy: CallPolicy;
  readonly toolVersion: string | undefined;
  /** Whose sentence is rendered again; undefined: as it stands. */
  readonly tool?: ToolSnapshot;
  /** Shown beside what was approved; undefined: as it stands. */
  readonly now?: ToolNow | undefined;
}

export async function proposeAgain(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  why: 'ARGUMENTS_CHANGED' | 'TOOL_CHANGED',
  under: AskedUnder,
): Promise<Changed> {
  const { policy } = under;
  const toolVersion = under.toolVersion ?? row.tool_version;
  const readable = isObject(row.arguments);
  if (!readable) {
    const result =
      'This call was not run: its stored arguments were changed and are no arguments any more.';
    finish(tx, run, callId, row, { state: 'FAILED', result, text: '{}' });
    return { kind: 'DONE', result };
  }
  const args = JSON.parse(row.arguments) as Readonly<Record<string, unknown>>;
  const summary =
    under.tool === undefined ? row.summary : (renderSentence(under.tool, args) ?? null);
  const hash = hashOfCall({
    orgId: run.orgId,
    runId: run.runId,
    callId,
    tool: row.name,
    toolVersion,
    arguments: row.arguments,
    summary,
  });
  const shown = under.now?.definition === undefined ? null : { definition: under.now.definition };
  await sql`update calls set state = 'PROPOSED', approval = 'required', tool_now = coalesce(${jsonOrNull(shown)}::jsonb, tool_now), asked_again = ${why}, granted = null, arguments_hash = ${hash}, tool_version = ${toolVersion},
    risk = ${policy.risk}, retry = ${policy.retry}, approvers = ${jsonOrNull(policy.approvers)}::jsonb, rules = ${jsonOrNull(policy.rules)}::jsonb,
    summary = ${summary}, quorum = ${policy.quorum ?? null}, approvers_also = ${jsonOrNull(policy.approversAlso)}::jsonb where call_id = ${callId}`.execute(
    tx.db,
  );
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'call.refused',
    data: { callId, why, hash },
  });
  return { kind: 'ASK_AGAIN' };
}

const jsonOrNull = (value: unknown): string | null =>
  value == null ? null : JSON.stringify(value);

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
