// The present state of one call in its run's record: shapes alone, read by run-record.ts and inbox.ts.

import type { McpDefinition } from '../../contract/agent.ts';
import type { Citation } from '../../contract/citation.ts';
import type { Action, DecidedAs } from '../../contract/run.ts';
import type { PauseKind } from '../../contract/turn.ts';
import type { ApproverLists } from '../../policy/approvers.ts';
import type { JudgedRule } from '../../policy/judge.ts';
import type { NearGrant } from '../grants/take.ts';

export interface RecordedVote {
  readonly by: string;
  readonly action: Action;
  readonly at: string;
}

export interface RecordedDecision {
  readonly action: DecidedAs;
  readonly by: readonly string[];
  readonly at: string;
  readonly reason: string | null;
  readonly proposedArguments: string | null;
  /** Absent or null: people decided about this very call. */
  readonly grantId?: string | null;
}

/** What was decided in this run about another call of the same tool, before. */
export interface EarlierDecision {
  readonly callId: string;
  /** As the model had asked for them. */
  readonly arguments: string;
  readonly action: DecidedAs;
  readonly by: readonly string[];
  readonly at: string;
  readonly reason: string | null;
}

export type CallState =
  | 'PROPOSED'
  | 'APPROVED'
  | 'REJECTED'
  | 'DISPATCHING'
  | 'SUCCEEDED'
  | 'FAILED'
  | 'UNKNOWN'
  | 'LEFT'
  | 'CLOSED';

export interface CallRecord {
  readonly callId: string;
  readonly turn: number;
  readonly name: string;
  readonly description: string | null;
  readonly arguments: string;
  readonly argumentsHash: string;
  readonly risk: 'normal' | 'high';
  /** It needs approval; one of unknown outcome may not. */
  readonly guarded: boolean;
  /** null: anyone of the org with the scope. */
  readonly approvers: readonly string[] | null;
  readonly state: CallState;
  readonly result: string | null;
  readonly durationMs: number;
  readonly evidence: string | null;
  readonly askedAgain: 'ARGUMENTS_CHANGED' | 'TOOL_CHANGED' | null;
  /** The pause in which it is open, else null. */
  readonly pauseId: string | null;
  readonly pauseKind: PauseKind | null;
  readonly requestedAt: string | null;
  readonly expiresAt: string | null;
  readonly votes: readonly RecordedVote[];
  readonly decision: RecordedDecision | null;
  /** Of an open call; oldest first. Absent in pauses recorded by the first release. */
  readonly earlier?: readonly EarlierDecision[];
  /** Of the last answer that came, whatever it counted as. */
  readonly httpStatus?: number | null;
  /** Passages that its result holds; null: none. */
  readonly citations?: readonly Citation[] | null;
  /** These three of a call whose tool has rules; absent or null: it has none. */
  readonly rules?: readonly JudgedRule[] | null;
  readonly quorum?: number | null;
  readonly approversAlso?: ApproverLists | null;
  /** Name of the effect that an open call would have; null: it has none. */
  readonly effectKey?: string | null;
  /** Grants that matched and did not count; null: none. */
  readonly grantsNear?: readonly NearGrant[] | null;
  /** The sentence that people decide by; null: its tool has none. */
  readonly summary?: string | null;
  /** Of an open call of a server's tool: what the run is pinned to; null: it is no such tool. */
  readonly tool?: McpDefinition | null;
  /** What the server declares now, where that has changed; null in it: no such tool. */
  readonly toolNow?: { readonly definition: McpDefinition | null } | null;
  /** What the model wrote beside an open call, its beginning; null: nothing. */
  readonly modelText?: string | null;
}
