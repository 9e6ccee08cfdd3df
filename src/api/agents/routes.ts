// The agents of the caller's org, as their files declare them.

import { z } from 'zod';
import { AgentListSchema, AgentSchema } from '../../contract/lists.ts';
import type { AppDeps } from '../deps.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { agentOf, isOf } from './find-agent.ts';
import { presentAgent } from './present.ts';

const ListQuery = z.strictObject({
  includeInactive: z.enum(['true', 'false']).optional().meta({
    description: 'Also agents that are switched off and take no runs.',
  }),
});

export const agentRoutes = ({ agents }: Pick<AppDeps, 'agents'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/api/agents',
    scope: 'token',
    id: 'listAgents',
    tag: 'agents',
    summary: 'The agents of the token’s org',
    query: ListQuery,
    answers: { 200: { description: 'The agents.', schema: AgentListSchema } },
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
    id: 'readAgent',
    tag: 'agents',
    summary: 'An agent',
    answers: { 200: { description: 'The agent.', schema: AgentSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => ({
      status: 200,
      body: presentAgent(agentOf(agents, caller.orgId, param('agentId'))),
    }),
  }),
];
