// What a policy says before it is used: of one call, and of the calls that are kept.

import { setImmediate as nextTick } from 'node:timers/promises';
import { problemsOfRule, ruleQuorumProblems } from '../../agents/approval-rules.ts';
import type { AgentSnapshot, Rule, ToolSnapshot } from '../../contract/agent.ts';
import { AppError, fieldRefused } from '../../contract/errors.ts';
import {
  BacktestBodySchema,
  BacktestSchema,
  PolicyCheckBodySchema,
  PolicyCheckSchema,
  type Backtest,
} from '../../contract/policy.ts';
import { backtest, type KeptCall } from '../../policy/backtest.ts';
import { noSuchTool } from '../../policy/grantable.ts';
import { judgeCall, type Judgement } from '../../policy/judge.ts';
import { readKeptCalls } from '../../store/queries/kept-calls.ts';
import { argumentsProblem } from '../../tools/arguments.ts';
import { agentOf } from '../agents/find-agent.ts';
import type { AppDeps } from '../deps.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { presentRule } from '../runs/present-pending.ts';

const BODY_MAX_BYTES = 256 * 1024;
/** Each is judged by each rule, in slices between which others are served. */
const MAX_CALLS = 20_000;
const SLICE = 200;

type Deps = Pick<AppDeps, 'store' | 'agents'>;

export const policyRoutes = (deps: Deps): readonly Route[] => [
  checkRoute(deps),
  backtestRoute(deps),
];

function toolOf(agent: AgentSnapshot, name: string | undefined): ToolSnapshot {
  if (name !== undefined) {
    const tool = agent.tools.find((one) => one.name === name);
    if (tool === undefined) throw noSuchTool('tool', agent.id);
    return tool;
  }
  const [tool, ...others] = agent.tools.filter((one) => one.approval === 'required');
  if (tool === undefined || others.length > 0) throw fieldRefused('tool', 'is missing');
  return tool;
}

const checkRoute = ({ agents }: Deps): Route =>
  defineRoute({
    method: 'POST',
    path: '/api/agents/:agentId/policy/check',
    scope: 'runs:read',
    id: 'checkPolicy',
    tag: 'decisions',
    summary: 'Say what would become of a call, without making it',
    description: 'As the first call of its tool in a run of the agent as its file is now.',
    body: { schema: PolicyCheckBodySchema, maxBytes: BODY_MAX_BYTES },
    answers: { 200: { description: 'What holds of it.', schema: PolicyCheckSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, body, param }) => {
      const agent = agentOf(agents, caller.orgId, param('agentId'));
      const tool = toolOf(agent, body.tool);
      const problem = argumentsProblem(body.arguments, tool);
      if (problem !== undefined)
        throw new AppError('INVALID_REQUEST', `The call would not be made: ${problem}`, {
          errors: [{ path: 'arguments', message: problem }],
        });
      const own = body.userId === undefined || body.userId === caller.subject;
      const user = {
        id: body.userId ?? caller.subject,
        roles: own && !caller.service ? caller.roles : null,
      };
      const facts = { orgId: caller.orgId, agentId: agent.id, user, earlier: [] };
      const judged = judgeCall(tool, agent.approvals.quorum, { ...facts, args: body.arguments });
      return { status: 200, body: presentJudgement(judged) };
    },
  });

function presentJudgement({ then, rules, quorum, approvers, risk, refusal }: Judgement) {
  const [first, ...also] = approvers;
  return {
    then,
    rules: rules.map((rule) => ({
      ...presentRule(rule),
      then: rule.then,
      ...(rule.shadow === undefined ? {} : { shadow: rule.shadow }),
    })),
    quorum,
    approvers: first === undefined ? null : [...first],
    ...(also.length === 0 ? {} : { approversAlso: also.map((list) => [...list]) }),
    risk,
    ...(refusal === null ? {} : { reason: refusal }),
  };
}

const backtestRoute = ({ store, agents }: Deps): Route =>
  defineRoute({
    method: 'POST',
    path: '/api/policies/backtest',
    scope: 'admin',
    id: 'backtestPolicy',
    tag: 'decisions',
    summary: 'Say how the calls that are kept would have fared under other rules',
    description:
      'Nothing is run. `changed` names the calls that would have fared otherwise; the two counts are of calls that people rejected or edited and that these rules let through unasked. A call counts its run’s earlier calls as they were.',
    body: { schema: BacktestBodySchema, maxBytes: BODY_MAX_BYTES },
    answers: { 200: { description: 'How they would have fared.', schema: BacktestSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller: { orgId }, body }) => {
      const agent = agentOf(agents, orgId, body.agentId);
      const declared = toolOf(agent, body.tool);
      const rules: Rule[] = body.rules;
      const tool = { ...declared, rules, otherwise: body.otherwise ?? ('required' as const) };
      checkRules(tool, agent.approvals.quorum);
      const wanted = { orgId, agentId: agent.id, tool: tool.name };
      const times = { from: new Date(body.from), to: new Date(body.to) };
      const calls = await store.asOrg(orgId, (tx) =>
        readKeptCalls(tx, { ...wanted, ...times }, MAX_CALLS + 1),
      );
      if (calls.length > MAX_CALLS)
        throw fieldRefused(
          'from',
          `and to hold more than ${MAX_CALLS} calls: take less time at once`,
        );
      return { status: 200, body: await faredOf(tool, calls, agent, orgId) };
    },
  });

function checkRules(tool: ToolSnapshot & { rules: readonly Rule[] }, quorum: number): void {
  for (const [i, rule] of tool.rules.entries())
    for (const problem of problemsOfRule(rule, tool.input))
      throw fieldRefused(`rules.${i}.when`, problem);
  for (const { path, message } of ruleQuorumProblems(tool, quorum, []))
    throw fieldRefused(`rules.${String(path.at(-1))}`, message);
}

async function faredOf(
  tool: ToolSnapshot,
  calls: readonly KeptCall[],
  agent: AgentSnapshot,
  orgId: string,
): Promise<Backtest> {
  const fared = { calls: 0, changed: [] as Backtest['changed'], rejected: 0, edited: 0 };
  const judging = { orgId, agentId: agent.id, quorum: agent.approvals.quorum };
  for (const { call, would } of backtest(tool, calls, judging)) {
    if (++fared.calls % SLICE === 0) await nextTick();
    const { callId, runId, was } = call;
    if (was !== would) fared.changed.push({ callId, runId, was, would });
    if (would !== 'never') continue;
    if (call.rejectedByPeople) fared.rejected++;
    if (call.editedByPeople) fared.edited++;
  }
  return {
    calls: fared.calls,
    changed: fared.changed,
    rejectedByPeopleButLetThrough: fared.rejected,
    editedByPeopleButLetThrough: fared.edited,
  };
}
