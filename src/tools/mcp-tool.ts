// A tool of an MCP server: the definition that was looked at right before is called, and what came of
// it is an outcome by the same rules as an HTTP tool's.

import type { McpServer, ToolSnapshot } from '../contract/agent.ts';
import type { CallAnswer, Look, McpServers } from '../mcp/servers.ts';
import { readResult } from '../mcp/result.ts';
import type { ToolContext } from './define-tool.ts';
import { createMask, sentFromAddress, type Mask } from './mask.ts';
import { fillSecrets, secretNames } from './places.ts';
import { resultText } from './result-text.ts';
import type { ToolResult } from './tool-result.ts';

export type McpPort = Pick<McpServers, 'look' | 'call'>;

interface McpDeps {
  readonly mcp?: McpPort;
  readonly looked?: Look | undefined;
  readonly secret: (name: string) => string | undefined;
}

export async function callMcpTool(
  tool: ToolSnapshot,
  args: Readonly<Record<string, unknown>>,
  ctx: ToolContext,
  { mcp, looked, secret }: McpDeps,
): Promise<ToolResult> {
  if (tool.mcp === undefined || mcp === undefined || looked === undefined)
    throw new Error(`the tool "${tool.name}" was not looked at`);
  const { server } = tool.mcp;
  const mask = createMask(sentTo(server, secret));
  if (looked.kind === 'UNREACHED') return notSent(mask(looked.why));
  if (looked.kind === 'GONE') return notSent('the server has no tool of this name any more');
  const answer = await mcp.call({
    server,
    definition: looked.definition,
    arguments: args,
    idempotencyKey: ctx.idempotencyKey,
    timeoutMs: tool.timeoutMs,
    signal: ctx.signal,
    beforeWrite: ctx.beforeWrite,
    ...(ctx.onProgress === undefined ? {} : { onProgress: ctx.onProgress }),
  });
  return resultOf(answer, ctx, mask);
}

const notSent = (why: string): ToolResult => ({
  kind: 'DONE',
  text: `Nothing was sent: ${why}.`,
  isError: true,
});

function resultOf(answer: CallAnswer, ctx: ToolContext, mask: Mask): ToolResult {
  const failed = (text: string, httpStatus?: number): ToolResult => ({
    kind: 'DONE',
    text: resultText(mask(text)),
    isError: true,
    ...(httpStatus === undefined ? {} : { httpStatus }),
  });
  switch (answer.kind) {
    case 'RESULT': {
      const { text, isError, media } = readResult(answer.result);
      return {
        kind: 'DONE',
        text: resultText(mask(text)),
        isError,
        ...(media.length === 0 ? {} : { media }),
      };
    }
    case 'ERROR':
      return failed(
        `The server answered with the error ${answer.code}: ${answer.message}`,
        answer.status,
      );
    case 'STATUS':
      return failed(answer.text, answer.status);
    case 'ASKS_BACK':
      return failed(
        'The server asked for something before it would do this, which was declined: a call is all that it gets.',
      );
    case 'NOT_SENT':
      // Stopped by us, it may be made by another worker; else it is known that it did not happen.
      return ctx.signal.aborted ? answer : notSent(answer.why);
    case 'MOVED':
    case 'UNANSWERED':
      return answer;
  }
}

/** What of a request is a secret that the server may say again. */
function sentTo(server: McpServer, secret: McpDeps['secret']): readonly string[] {
  if (!('url' in server)) return [];
  const names = [server.url, ...Object.values(server.headers)].flatMap(secretNames);
  return [
    ...names.flatMap((name) => secret(name) ?? []),
    ...sentFromAddress(fillSecrets(server.url, (name) => secret(name) ?? '')),
  ];
}
