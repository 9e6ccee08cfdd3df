// What an approval binds beside the arguments: the tool as the run keeps it, address and code
// version included, who may approve, and the policy. Its digest is a call's `toolVersion`, so it is
// part of the hash that people approve; it is computed again from what is about to be used.

import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import type { RetryClass } from '../../contract/turn.ts';
import type { ApproverLists } from '../../policy/approvers.ts';
import type { JudgedRule } from '../../policy/judge.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';

/** Of the call's row: it is what votes and dispatches go by. */
export interface CallPolicy {
  readonly approval: 'required' | 'never';
  readonly risk: 'normal' | 'high';
  readonly retry: RetryClass;
  readonly approvers: readonly string[] | null;
  /** Of a call whose tool has rules, with the two below: lists that must name a voter as well. */
  readonly approversAlso?: ApproverLists | null;
  /** Absent or null: the agent's. */
  readonly quorum?: number | null;
  readonly rules?: readonly JudgedRule[] | null;
}

/** What a tool's definition says of its calls. */
export const policyOf = (tool: ToolSnapshot | undefined): CallPolicy => ({
  approval: tool?.approval ?? 'never',
  risk: tool?.risk ?? 'normal',
  retry: tool?.readOnly ? 'readOnly' : tool?.idempotent ? 'idempotent' : 'never',
  approvers: tool?.approvers ?? null,
});

const PREFIX = 'v2:';

export const approvedToolVersion = (
  tool: ToolSnapshot,
  { quorum, fourEyes }: Pick<AgentSnapshot['approvals'], 'quorum' | 'fourEyes'>,
  { approval, risk, retry, approvers, rules, ...judged }: CallPolicy,
): string =>
  `${PREFIX}${sha256Hex(
    canonicalJson({
      ...{ tool, quorum, fourEyes, approval, risk, retry, approvers },
      // Of a call without rules the text is what earlier releases hash.
      ...(rules == null
        ? {}
        : {
            judged: {
              rules,
              quorum: judged.quorum ?? null,
              approversAlso: judged.approversAlso ?? null,
            },
          }),
    }),
  )}`;

/** Calls of the first release keep the tool's own version, and are held against that. */
export const isApprovedToolVersion = (version: string): boolean => version.startsWith(PREFIX);
