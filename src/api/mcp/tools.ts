// The six tools that MCP's clients see. Each asks the route that does the same over HTTP, so that
// what is checked, by whom and in what order is written once.

import { z } from 'zod';
import { AgentSchema, WaitingPageSchema } from '../../contract/lists.ts';
import { AppError } from '../../contract/errors.ts';
import { ActionSchema, RunResponseSchema } from '../../contract/run.ts';
import { StartBodySchema } from '../../contract/start.ts';
import { AFTER_NOTE, LIMIT_DEFAULT } from '../http/page.ts';
import { defineTool, type McpTool } from './define-tool.ts';

const AgentId = z.string().min(1).max(200).meta({ description: 'From list_agents.' });
const RunId = z.string().min(1).max(100).meta({ description: 'The `runId` of a run.' });
const NamedRun = { agentId: AgentId, runId: RunId };

export const MCP_TOOLS: readonly McpTool[] = [
  defineTool({
    name: 'list_agents',
    title: 'List agents',
    description: 'The agents that can be asked, with what each is for and which tools it has.',
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: z.strictObject({}),
    output: z.object({ data: z.array(AgentSchema) }),
    perform: async (_, ask) => ({ data: await ask({ route: 'listAgents' }) }),
  }),
  defineTool({
    name: 'run_agent',
    title: 'Run an agent',
    description:
      'Starts a run of an agent and waits for it. A run that needs people comes back as PAUSED and says which calls wait; one that takes longer comes back as RUNNING, goes on all the same, and is read by get_run. Called twice it starts two runs.',
    // What the agent does is up to its tools: those that are not guarded act without asking.
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false },
    input: StartBodySchema.pick({ message: true, sessionId: true }).extend({ agentId: AgentId }),
    output: RunResponseSchema,
    perform: ({ agentId, ...body }, ask) => ask({ route: 'startRun', params: { agentId }, body }),
  }),
  defineTool({
    name: 'get_run',
    title: 'Read a run',
    description: 'A run as it stands: its status, its answer, its calls, and what it waits for.',
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: z.strictObject(NamedRun),
    output: RunResponseSchema,
    perform: (params, ask) => ask({ route: 'readRun', params }),
  }),
  defineTool({
    name: 'decide_call',
    title: 'Approve or reject a call',
    description:
      'Casts a vote of the token’s owner on one call that a paused run waits with, and waits for what comes next. For a person who has read the arguments: `argumentsHash` is that of the arguments they were shown. APPROVE runs exactly those, once; REJECT never runs them, and the model is told the reason.',
    // The same vote again changes nothing.
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    input: z.strictObject({
      ...NamedRun,
      callId: z.string().min(1).max(100),
      argumentsHash: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal')
        .meta({ description: 'That of the waiting call, as it was shown.' }),
      action: ActionSchema,
      reason: z.string().max(2000).optional(),
      pauseId: z
        .string()
        .min(1)
        .max(100)
        .optional()
        .meta({ description: 'Needed where the outcome of the call is unknown.' }),
    }),
    output: RunResponseSchema,
    perform: ({ agentId, runId, ...body }, ask, { ofAgent }) => {
      if (ofAgent)
        throw new AppError(
          'FORBIDDEN',
          'This call was made by an agent’s run: a run never votes, whosever token it was given.',
        );
      return ask({ route: 'continueRun', params: { agentId, runId }, body });
    },
  }),
  defineTool({
    name: 'cancel_run',
    title: 'Cancel a run',
    description:
      'Ends a run for good: no call that was not yet sent is sent. A run that has ended before stays as it is.',
    annotations: {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: true,
      openWorldHint: false,
    },
    input: z.strictObject(NamedRun),
    output: RunResponseSchema,
    perform: async (params, ask, { readRun }) => {
      await ask({ route: 'cancelRun', params });
      return readRun(params);
    },
  }),
  defineTool({
    name: 'list_approvals',
    title: 'List what waits for a decision',
    description:
      'The calls that wait for a vote which the token’s owner may cast, oldest first, with the arguments and the `argumentsHash` that decide_call wants.',
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: z.strictObject({
      agentId: AgentId.optional(),
      limit: z
        .int('must be a whole number, 1 to 100')
        .min(1)
        .max(100)
        .optional()
        .meta({ description: `Items of a page; ${LIMIT_DEFAULT} where it is left out.` }),
      after: z.string().max(1000).optional().meta({ description: AFTER_NOTE }),
    }),
    output: WaitingPageSchema,
    perform: ({ limit, ...rest }, ask) =>
      ask({
        route: 'listApprovals',
        query: { ...rest, ...(limit === undefined ? {} : { limit: String(limit) }) },
      }),
  }),
];
