// One MCP request: a server of the SDK that lives as long as its request, in whichever generation of
// the protocol the client speaks. Keeps nothing between requests.

import {
  createMcpHandler,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type CallToolRequest,
  type CallToolResult,
  type ListToolsResult,
  type McpHttpHandler,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { PROBLEM_STATUS } from '../../contract/errors.ts';
import { IDEMPOTENCY_META } from '../../contract/names.ts';
import type { AppDeps } from '../deps.ts';
import { asAppError, problemOf } from '../http/problem.ts';
import type { PlainRequest, Route, RouteRequest } from '../http/route.ts';
import { visibleRun } from '../runs/find-run.ts';
import { presentRun } from '../runs/present.ts';
import type { Ask, McpTool } from './define-tool.ts';
import { tellProgress, type Progress } from './progress.ts';
import { refusalOf, resultOf, type ToolResult } from './result.ts';
import { MCP_TOOLS } from './tools.ts';

/** Raised with what the tools promise. */
const SERVER = { name: 'holdpoint', title: 'Holdpoint', version: '1.0.0' };
const INSTRUCTIONS =
  'Runs agents that ask people before they act. A PAUSED run waits for people: show them the waiting call and its arguments, and vote with decide_call only as they say.';

/**
 * Below the 60 s after which the official clients give up on a request that nothing was heard of.
 * Who gave a progress token hears of it, and is waited for as long as any caller.
 */
const UNHEARD_WAIT_S = 50;

type Request = Pick<RouteRequest<unknown, unknown>, 'caller' | 'requestId' | 'gone'>;

/** Each route by its id, so that a tool whose route is gone stops the process at its start. */
export function createServeMcp(
  deps: AppDeps,
  routes: readonly Route[],
): (request: Request) => McpHttpHandler {
  const byId = new Map(routes.map((route) => [route.id, route]));
  return (request) =>
    createMcpHandler(() => serverOf(deps, byId, request), {
      // Nothing of ours changes while a client listens.
      maxSubscriptions: 0,
      onerror: (err) =>
        deps.log.info({ requestId: request.requestId, err }, 'an MCP request was refused'),
    });
}

function serverOf(deps: AppDeps, routes: ReadonlyMap<string, Route>, request: Request): Server {
  const server = new Server(SERVER, {
    capabilities: { tools: {} },
    instructions: INSTRUCTIONS,
  });
  server.setRequestHandler(
    'tools/list',
    () => ({ tools: MCP_TOOLS.map(({ shown }) => shown) }) as unknown as ListToolsResult,
  );
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const tool = MCP_TOOLS.find(({ name }) => name === params.name);
    if (tool === undefined)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `There is no tool "${params.name.slice(0, 100)}".`,
      );
    const result = await callTool({ deps, routes, request }, tool, { params, context });
    return server.projectCallToolResult(result as CallToolResult, tool.shown.outputSchema);
  });
  return server;
}

interface Serving {
  readonly deps: AppDeps;
  readonly routes: ReadonlyMap<string, Route>;
  readonly request: Request;
}

interface Called {
  readonly params: CallToolRequest['params'];
  readonly context: ServerContext;
}

/** A result always: what a route refuses, and what goes wrong, is one that says so. */
async function callTool(
  { deps, routes, request }: Serving,
  tool: McpTool,
  { params, context }: Called,
): Promise<ToolResult> {
  const { caller, requestId } = request;
  const meta = params._meta ?? context.mcpReq._meta ?? {};
  const progress = tellProgress(meta.progressToken, (told) => context.mcpReq.notify(told));
  const ask = askRoutes({ deps, routes, request }, progress, meta[IDEMPOTENCY_META]);
  try {
    const answered = await tool.perform(params.arguments, ask, {
      ofAgent: IDEMPOTENCY_META in meta,
      readRun: async (name) => presentRun(await visibleRun(deps, caller, name), caller),
    });
    return resultOf(answered);
  } catch (thrown) {
    const error = asAppError(thrown);
    if (PROBLEM_STATUS[error.code] >= 500)
      deps.log.error(
        { requestId, tool: tool.name, code: error.code, err: error.extras.cause ?? error },
        'a request failed',
      );
    return refusalOf(problemOf(error, requestId));
  } finally {
    progress.stop();
  }
}

function askRoutes({ deps, routes, request }: Serving, progress: Progress, key: unknown): Ask {
  const waitS = Math.floor(deps.syncWaitMaxMs / 1000);
  const headers: Readonly<Record<string, string>> = {
    prefer: `wait=${progress.isTold ? waitS : Math.min(waitS, UNHEARD_WAIT_S)}`,
    // An agent's run repeats a call under its key: it finds the run that it started.
    ...(typeof key === 'string' ? { 'idempotency-key': key } : {}),
  };
  const header = (name: string): string => headers[name.toLowerCase()] ?? '';
  return async ({ route: id, params = {}, query = {}, body }) => {
    const route = routes.get(id);
    if (route === undefined) throw new Error(`There is no route "${id}".`);
    const plain: PlainRequest = {
      ...request,
      params,
      query,
      readBody: async () => ({ value: body }),
      header,
      headerValues: (name) => (header(name) === '' ? [] : [header(name)]),
      onRun: progress.about,
    };
    return (await route.perform(plain)).body;
  };
}
