// A tool's result in the terms of MCP: what was answered as structured content, and as text for
// clients and models that read nothing else.

import { RunResponseSchema, type RunResponse } from '../../contract/run.ts';
import type { Problem } from '../../contract/problem.ts';

export interface ToolResult {
  readonly content: { readonly type: 'text'; readonly text: string }[];
  readonly structuredContent?: Record<string, unknown>;
  readonly isError?: boolean;
}

const text = (words: string): ToolResult['content'][number] => ({ type: 'text', text: words });

/** The sentence first, then the whole as JSON, which the protocol asks for beside the structured. */
export function resultOf(answered: unknown): ToolResult {
  const run = RunResponseSchema.safeParse(answered);
  return {
    content: [...(run.success ? [text(sentenceOf(run.data))] : []), text(JSON.stringify(answered))],
    structuredContent: { ...(answered as object) },
  };
}

export const refusalOf = (problem: Problem): ToolResult => ({
  content: [text(JSON.stringify(problem))],
  isError: true,
});

function sentenceOf(run: RunResponse): string {
  const named = `Run ${run.runId} of ${run.agentId}`;
  switch (run.status) {
    case 'COMPLETED':
      return run.content;
    case 'PAUSED':
      return [
        `${named} is PAUSED: it waits for people and goes on once they have decided. What waits:`,
        ...(run.pending ?? []).map(
          (call) =>
            `- ${call.name} (${call.kind}) callId ${call.callId}, argumentsHash ${call.argumentsHash}, pauseId ${run.pauseId}: ${call.summary ?? JSON.stringify(call.arguments)}`,
        ),
      ].join('\n');
    case 'FAILED':
      return `${named} FAILED: ${run.error?.message ?? 'no reason is recorded.'}`;
    case 'CANCELLED':
      return `${named} was CANCELLED.`;
    case 'QUEUED':
    case 'RUNNING':
      return `${named} is ${run.status} and goes on; read it with get_run.`;
  }
}
