// The port that every tool runs behind: a snapshot and arguments in, a known or an unknown outcome
// out. Owns the tool's deadline and what a tool's throw means. Imports no store: claims are the
// caller's, behind `beforeWrite`.

import type { ToolSnapshot } from '../contract/agent.ts';
import type { Look } from '../mcp/servers.ts';
import { untilAborted } from '../deadline.ts';
import { ToolError, type CodeTool, type ToolContext } from './define-tool.ts';
import { callHttpTool } from './http-tool.ts';
import { callMcpTool, type McpPort } from './mcp-tool.ts';
import { resultText } from './result-text.ts';
import type { ToolResult } from './tool-result.ts';

export type CodeTools = ReadonlyMap<string, CodeTool>;

export interface ToolDeps {
  readonly codeTools: CodeTools;
  readonly secret: (name: string) => string | undefined;
  /** Servers whose tools agents have. */
  readonly mcp?: McpPort;
  /** What the tool's server declared right before this call. */
  readonly looked?: Look | undefined;
}

/**
 * This worker lacks the tool's code; another one, or this after an update, may have it: worth a
 * retry.
 */
export class MissingToolError extends Error {
  override readonly name = 'MissingToolError';
}

/**
 * Rethrows what `ctx.beforeWrite` throws; throws MissingToolError; every other failure is a result.
 */
export async function runToolCall(
  snapshot: ToolSnapshot,
  args: Readonly<Record<string, unknown>>,
  ctx: ToolContext,
  deps: ToolDeps,
): Promise<ToolResult> {
  if (snapshot.kind === 'mcp') return callMcpTool(snapshot, args, ctx, deps);
  if (snapshot.kind === 'http') return callHttpTool(snapshot, args, ctx, deps.secret);
  const tool = deps.codeTools.get(snapshot.name);
  if (tool === undefined) throw new MissingToolError(`this worker has no tool "${snapshot.name}"`);
  return runCodeTool(tool, snapshot.timeoutMs, args, ctx);
}

/**
 * The version of a tool in code as this worker has it: another than was approved must be asked
 * about again. undefined: has none.
 */
export const currentToolVersion = (
  snapshot: ToolSnapshot,
  codeTools: CodeTools,
): string | undefined =>
  snapshot.kind === 'code' ? codeTools.get(snapshot.name)?.version : undefined;

async function runCodeTool(
  tool: CodeTool,
  timeoutMs: number,
  args: Readonly<Record<string, unknown>>,
  ctx: ToolContext,
): Promise<ToolResult> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(timeoutMs)]);
  const stopReason = (): string =>
    ctx.signal.aborted ? 'it was cancelled' : `it took longer than ${timeoutMs} ms`;
  let acted = false;
  let refusal: { readonly error: unknown } | undefined;
  const beforeWrite = async (): Promise<void> => {
    // A tool that comes here after its deadline must not act: its call has been answered.
    signal.throwIfAborted();
    try {
      await ctx.beforeWrite();
    } catch (error) {
      refusal = { error };
      throw error;
    }
    signal.throwIfAborted();
    acted = true;
  };
  try {
    // A tool may not watch its signal.
    const text = await untilAborted(tool.run(args, { ...ctx, signal, beforeWrite }), signal);
    if (refusal !== undefined) throw refusal.error;
    return { kind: 'DONE', text: resultText(text), isError: false };
  } catch (error) {
    if (refusal !== undefined) throw refusal.error;
    if (error instanceof ToolError)
      return { kind: 'DONE', text: resultText(error.message), isError: true };
    const why = signal.aborted ? stopReason() : 'the tool failed unexpectedly';
    if (acted) return { kind: 'UNANSWERED', why };
    if (ctx.signal.aborted) return { kind: 'NOT_SENT', why };
    return { kind: 'DONE', text: `Nothing was done: ${why}.`, isError: true };
  }
}
