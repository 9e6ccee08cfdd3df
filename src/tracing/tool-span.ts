// A call of a tool as a span, by OpenTelemetry's conventions for generative AI: the tool's name and the
// call's id, no arguments and no result.

import type { ToolSnapshot } from '../contract/agent.ts';
import type { ToolResult } from '../tools/tool-result.ts';
import type { Tracing } from './tracing.ts';

interface TracedCall {
  readonly tracing: Tracing;
  readonly tool: Pick<ToolSnapshot, 'name' | 'kind'>;
  readonly callId: string;
}

export const inToolSpan = (
  { tracing, tool, callId }: TracedCall,
  call: (trace: { readonly traceparent?: string }) => Promise<ToolResult>,
): Promise<ToolResult> =>
  tracing.inSpan(
    {
      name: `execute_tool ${tool.name}`,
      kind: tool.kind === 'code' ? 'internal' : 'client',
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': tool.name,
        'gen_ai.tool.type': 'function',
        'gen_ai.tool.call.id': callId,
      },
    },
    async (span) => {
      const traceparent = tracing.current();
      const result = await call(traceparent === undefined ? {} : { traceparent });
      if (result.kind === 'DONE') {
        span.set({ 'http.response.status_code': result.httpStatus });
        if (result.isError) span.failed(String(result.httpStatus ?? 'tool_error'));
      } else span.failed(result.kind);
      return result;
    },
  );
