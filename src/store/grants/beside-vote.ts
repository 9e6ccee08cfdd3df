// A grant beside an approval: whoever may approve the call says the same yes to later ones of its tool.

import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import type { GrantBounds } from '../../contract/grant.ts';
import type { PauseKind } from '../../contract/turn.ts';
import type { Giver } from '../../policy/covers.ts';
import { grantProblem, noSuchTool, wrongExpiry } from '../../policy/grantable.ts';
import type { StoreTransaction } from '../database/access.ts';
import { createGrant } from './grants.ts';
import { definitionOf } from './take.ts';

export interface GrantBesideVote extends GrantBounds {
  readonly grantId: string;
}

/** In the transaction of the vote: refused, the vote is not cast either. */
export async function createBesideVote(
  tx: StoreTransaction,
  orgId: string,
  agent: AgentSnapshot,
  call: { readonly name: string; readonly kind: PauseKind },
  grant: GrantBesideVote,
  giver: Giver,
): Promise<void> {
  if (call.kind === 'OUTCOME_UNKNOWN')
    throw new AppError('INVALID_REQUEST', 'No grant goes with a call of unknown outcome.');
  const tool = agent.tools.find((one) => one.name === call.name);
  if (tool === undefined) throw noSuchTool('grant', agent.id);
  const problem = grantProblem(tool, grant.when, { tool: 'grant', when: 'grant.when' });
  if (problem !== undefined) throw problem;
  const { expiresAt, ...bounds } = grant;
  const bound = { orgId, agentId: agent.id, tool: tool.name, definition: definitionOf(tool) };
  const made = await createGrant(
    tx,
    {
      ...bounds,
      ...bound,
      expiresAt: new Date(expiresAt),
      quorum: agent.approvals.quorum,
    },
    giver,
  );
  if (made.kind === 'WRONG_TIME') throw wrongExpiry('grant.expiresAt');
}
