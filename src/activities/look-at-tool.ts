// What a tool's server declares right before a call of it is claimed.

import { Context } from '@temporalio/activity';
import type { ToolSnapshot } from '../contract/agent.ts';
import { definitionHash } from '../mcp/definition.ts';
import type { Look } from '../mcp/servers.ts';
import type { ToolNow } from '../store/calls/changed-calls.ts';
import type { McpPort } from '../tools/mcp-tool.ts';
import { MissingToolError } from '../tools/tool.ts';
import { HEARTBEAT_EVERY_MS } from './heartbeat.ts';

/** Throws where it was stopped: nothing has been decided then. */
export async function lookAt(
  mcp: McpPort | undefined,
  tool: ToolSnapshot,
  stop: AbortSignal | undefined,
): Promise<Look> {
  if (mcp === undefined || tool.mcp === undefined)
    throw new MissingToolError(`this worker calls no tools of servers`);
  const { heartbeat, info, cancellationSignal } = Context.current();
  const beat = info.isLocal ? undefined : setInterval(() => heartbeat(), HEARTBEAT_EVERY_MS);
  const signal = AbortSignal.any([cancellationSignal, ...(stop === undefined ? [] : [stop])]);
  try {
    const looked = await mcp.look(tool.mcp.server, tool.mcp.definition.name, signal);
    signal.throwIfAborted();
    return looked;
  } finally {
    clearInterval(beat);
  }
}

/** As the ledger is told it. */
export function toolNow(looked: Look): ToolNow | 'UNREACHED' {
  if (looked.kind === 'UNREACHED') return 'UNREACHED';
  const definition = looked.kind === 'GONE' ? null : looked.definition;
  return { version: definitionHash(definition), definition };
}
