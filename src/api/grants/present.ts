// The only way from a grant's record to JSON.

import type { AgentSnapshot } from '../../contract/agent.ts';
import type { Grant } from '../../contract/grant.ts';
import type { GrantRecord } from '../../store/grants/grants.ts';
import { definitionOf } from '../../store/grants/take.ts';

export function presentGrant(
  grant: GrantRecord,
  agents: ReadonlyMap<string, AgentSnapshot>,
): Grant {
  const tool = agents.get(grant.agentId)?.tools.find((one) => one.name === grant.tool);
  const gone = tool === undefined || definitionOf(tool) !== grant.definition;
  return {
    grantId: grant.grantId,
    agentId: grant.agentId,
    tool: grant.tool,
    when: grant.condition,
    status: statusOf(grant, gone),
    uses: grant.uses,
    maxUses: grant.maxUses,
    ...(grant.maxSum === null || grant.sumField === null
      ? {}
      : { sum: grant.usedSum, maxSum: { field: grant.sumField, value: grant.maxSum } }),
    ...(grant.userId === null ? {} : { userId: grant.userId }),
    reason: grant.reason,
    by: [...grant.by],
    votesNeeded: grant.quorum,
    createdAt: grant.createdAt.toISOString(),
    expiresAt: grant.expiresAt.toISOString(),
    ...(grant.revokedBy === null ? {} : { revokedBy: grant.revokedBy }),
  };
}

/** `gone`: its tool is another one since, or is no more. */
function statusOf(grant: GrantRecord, gone: boolean): Grant['status'] {
  if (grant.revokedBy !== null) return 'REVOKED';
  if (grant.uses >= grant.maxUses) return 'USED_UP';
  if (grant.expired) return 'EXPIRED';
  if (gone) return 'REVOKED';
  return grant.active ? 'ACTIVE' : 'PENDING';
}
