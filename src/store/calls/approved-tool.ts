// What an approval binds beside the arguments: the tool as the run keeps it, address and code
// version included, who may approve, and the policy. Its digest is a call's `toolVersion`, so it is
// part of the hash that people approve; it is computed again from what is about to be used.

import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import type { RetryClass } from '../../contract/turn.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';

/** Of the call's row: it is what votes and dispatches go by. */
export interface CallPolicy {
  readonly approval: 'required' | 'never';
  readonly risk: 'normal' | 'high';
  readonly retry: RetryClass;
  readonly approvers: readonly string[] | null;
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
  { approval, risk, retry, approvers }: CallPolicy,
): string =>
  `${PREFIX}${sha256Hex(
    canonicalJson({ tool, quorum, fourEyes, approval, risk, retry, approvers }),
  )}`;

/** Calls of the first release keep the tool's own version, and are held against that. */
export const isApprovedToolVersion = (version: string): boolean => version.startsWith(PREFIX);
