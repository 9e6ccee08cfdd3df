// How calls that are kept would have fared under other rules. Pure; people's own rejections and
// edits are what it is held against.

import type { Then } from '../contract/agent.ts';
import { judgeCall, type RuledTool } from './judge.ts';

export interface KeptCall {
  readonly callId: string;
  readonly runId: string;
  /** As the model asked for them. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly was: Then;
  readonly rejectedByPeople: boolean;
  readonly editedByPeople: boolean;
  /** It counts for later calls of its run: it was neither rejected nor refused. */
  readonly counts: boolean;
  readonly userId: string;
  readonly roles: readonly string[] | null;
}

export interface Fared {
  readonly call: KeptCall;
  readonly would: Then;
}

interface Judging {
  readonly orgId: string;
  readonly agentId: string;
  /** The agent's. */
  readonly quorum: number;
}

/** `calls` of one run after the other, in call order. Yields one for each. */
export function* backtest(
  tool: RuledTool,
  calls: Iterable<KeptCall>,
  { orgId, agentId, quorum }: Judging,
): Generator<Fared> {
  let runId = '';
  let earlier: KeptCall['args'][] = [];
  for (const call of calls) {
    if (call.runId !== runId) [runId, earlier] = [call.runId, []];
    const user = { id: call.userId, roles: call.roles };
    const facts = { args: call.args, user, orgId, agentId, earlier };
    yield { call, would: judgeCall(tool, quorum, facts).then };
    if (call.counts) earlier.push(call.args);
  }
}
