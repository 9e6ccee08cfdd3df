// The agents that an org may use, as their files declare them.

import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import type { AppDeps } from '../deps.ts';

export const isOf = (orgId: string, agent: AgentSnapshot): boolean =>
  agent.orgs === null || agent.orgs.includes(orgId);

/** One that is another org's is not there. */
export function agentOf(agents: AppDeps['agents'], orgId: string, agentId: string): AgentSnapshot {
  const agent = agents.get(agentId);
  if (agent === undefined || !isOf(orgId, agent))
    throw new AppError('NOT_FOUND', 'There is no such agent.');
  return agent;
}
