// The agents of the caller's org, as their files declare them.

import { z } from 'zod';
import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import type { AppDeps } from '../app.ts';
import { presentAgent } from '../runs/present.ts';
import { defineRoute, type Route } from '../http/route.ts';

const ListQuery = z.strictObject({ includeInactive: z.enum(['true', 'false']).optional() });

const isOf = (orgId: string, agent: AgentSnapshot): boolean =>
  agent.orgs === null || agent.orgs.includes(orgId);

/** One that is another org's is not there. */
export function agentOf(agents: AppDeps['agents'], orgId: string, agentId: string): AgentSnapshot {
  const agent = agents.get(agentId);
  if (agent === undefined || !isOf(orgId, agent))
    throw new AppError('NOT_FOUND', 'There is no such agent.');
  return agent;
}

export const agentRoutes = ({ agents }: Pick<AppDeps, 'agents'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/api/agents',
    scope: 'token',
    query: ListQuery,
    handle: async ({ caller, query }) => {
      const listed = [...agents.values()].filter(
        (agent) => isOf(caller.orgId, agent) && (agent.active || query.includeInactive === 'true'),
      );
      return { status: 200, body: listed.map(presentAgent) };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/agents/:agentId',
    scope: 'token',
    handle: async ({ caller, param }) => ({
      status: 200,
      body: presentAgent(agentOf(agents, caller.orgId, param('agentId'))),
    }),
  }),
];
