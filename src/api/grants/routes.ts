// Grants of an org: who may approve a tool's calls may say yes once for a bounded while.

import { z } from 'zod';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import { GrantPageSchema, GrantSchema, NewGrantSchema } from '../../contract/grant.ts';
import { grantProblem, noSuchTool, wrongExpiry } from '../../policy/grantable.ts';
import {
  addGiver,
  createGrant,
  findGrant,
  listGrants,
  newGrantId,
  revokeGrant,
} from '../../store/grants/grants.ts';
import { definitionOf } from '../../store/grants/take.ts';
import { voterProblem } from '../../store/calls/vote-policy.ts';
import { agentOf } from '../agents/find-agent.ts';
import type { Caller } from '../auth/caller.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { presentGrant } from './present.ts';

const CURSOR = defineCursor('grants', [z.string().min(1).max(100)]);
const Query = z.strictObject(pageQuery(CURSOR));
const PATH = '/api/grants';
const BODY_MAX_BYTES = 32_768;

type Deps = Pick<AppDeps, 'store' | 'agents'>;

export const grantRoutes = (deps: Deps): readonly Route[] => [
  createRoute(deps),
  listRoute(deps),
  approveRoute(deps),
  revokeRoute(deps),
];

const noSuchGrant = (): AppError => new AppError('NOT_FOUND', 'There is no such grant.');

const giverOf = ({ subject, roles, service }: Caller) => ({ person: subject, roles, service });

/** Whoever may approve a call of the tool; four eyes are looked at where a run is covered. */
function refuseUnlessApprover(caller: Caller, tool: ToolSnapshot): void {
  const { subject, roles, service } = caller;
  const problem = voterProblem(
    { fourEyes: false, startedBy: '', userId: '' },
    { name: tool.name, guarded: true, approvers: tool.approvers },
    { kind: 'person', subject, roles, service },
    'APPROVE',
  );
  if (problem !== undefined) throw new AppError('FORBIDDEN', problem);
}

function toolNamed(agent: AgentSnapshot, name: string): ToolSnapshot {
  const tool = agent.tools.find((one) => one.name === name);
  if (tool === undefined) throw noSuchTool('tool', agent.id);
  return tool;
}

const createRoute = ({ store, agents }: Deps): Route =>
  defineRoute({
    method: 'POST',
    path: PATH,
    scope: 'runs:approve',
    id: 'createGrant',
    tag: 'decisions',
    summary: 'Say yes to several calls of a tool, within bounds and for a while',
    description:
      'A call that it covers is dispatched without a pause, its use taken in the same transaction. It needs whom, and as many as, a call of the tool needs; until then it is PENDING.',
    body: { schema: NewGrantSchema, maxBytes: BODY_MAX_BYTES },
    answers: { 201: { description: 'Made.', schema: GrantSchema } },
    refusals: ['NOT_FOUND', 'FORBIDDEN'],
    handle: async ({ caller, body }) => {
      const agent = agentOf(agents, caller.orgId, body.agentId);
      const tool = toolNamed(agent, body.tool);
      const problem = grantProblem(tool, body.when, { tool: 'tool', when: 'when' });
      if (problem !== undefined) throw problem;
      refuseUnlessApprover(caller, tool);
      const grant = {
        // Made here, so that a repeated transaction finds its own.
        ...{ grantId: newGrantId(), orgId: caller.orgId, agentId: agent.id, tool: tool.name },
        ...{ definition: definitionOf(tool), when: body.when, maxUses: body.maxUses },
        ...{ maxSum: body.maxSum, expiresAt: new Date(body.expiresAt), userId: body.userId },
        ...{ reason: body.reason, quorum: agent.approvals.quorum },
      };
      const made = await store.asOrg(caller.orgId, (tx) => createGrant(tx, grant, giverOf(caller)));
      if (made.kind === 'WRONG_TIME') throw wrongExpiry('expiresAt');
      return { status: 201, body: presentGrant(made.grant, agents) };
    },
  });

const listRoute = ({ store, agents }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: PATH,
    scope: 'runs:approve',
    id: 'listGrants',
    tag: 'decisions',
    summary: 'The org’s grants, newest first, ended ones too',
    answers: { 200: pageNote(GrantPageSchema) },
    query: Query,
    handle: async ({ caller, query }) => {
      const page = await store.asOrg(caller.orgId, (tx) =>
        listGrants(tx, caller.orgId, wanted(query)),
      );
      return pageAnswer(PATH, query, CURSOR, page, (grant) => presentGrant(grant, agents));
    },
  });

const approveRoute = ({ store, agents }: Deps): Route =>
  defineRoute({
    method: 'POST',
    path: `${PATH}/:grantId/approve`,
    scope: 'runs:approve',
    id: 'approveGrant',
    tag: 'decisions',
    summary: 'Give a grant as one more person',
    answers: { 200: { description: 'As it is now.', schema: GrantSchema } },
    refusals: ['NOT_FOUND', 'FORBIDDEN'],
    handle: async ({ caller, param }) => {
      const { orgId } = caller;
      const grantId = param('grantId');
      const known = await store.asOrg(orgId, (tx) => findGrant(tx, orgId, grantId));
      if (known === undefined) throw noSuchGrant();
      refuseUnlessApprover(caller, toolNamed(agentOf(agents, orgId, known.agentId), known.tool));
      const grant = await store.asOrg(orgId, (tx) => addGiver(tx, orgId, grantId, giverOf(caller)));
      if (grant === undefined) throw noSuchGrant();
      return { status: 200, body: presentGrant(grant, agents) };
    },
  });

const revokeRoute = ({ store, agents }: Deps): Route =>
  defineRoute({
    method: 'DELETE',
    path: `${PATH}/:grantId`,
    scope: 'runs:approve',
    id: 'revokeGrant',
    tag: 'decisions',
    summary: 'Revoke a grant',
    answers: { 204: { description: 'It covers nothing more; what ran under it stays.' } },
    refusals: ['NOT_FOUND', 'FORBIDDEN'],
    handle: async ({ caller, param }) => {
      const { orgId, subject } = caller;
      const grantId = param('grantId');
      const known = await store.asOrg(orgId, (tx) => findGrant(tx, orgId, grantId));
      if (known === undefined) throw noSuchGrant();
      const tool = agents.get(known.agentId)?.tools.find((one) => one.name === known.tool);
      if (tool !== undefined && !known.by.includes(subject)) refuseUnlessApprover(caller, tool);
      await store.asOrg(orgId, (tx) => revokeGrant(tx, orgId, grantId, subject));
      return { status: 204 };
    },
  });
