// Snapshots and contexts for the tests of tools.

import type { HttpCall, ToolSnapshot } from '../../src/contract/agent.ts';
import type { CodeTool, ToolContext } from '../../src/tools/define-tool.ts';

export const httpTool = (
  http: Partial<HttpCall> & { readonly url: string },
  timeoutMs = 5000,
): ToolSnapshot => ({
  name: 'call_out',
  description: '',
  input: { type: 'object' },
  kind: 'http',
  http: { method: 'POST', headers: {}, ...http },
  version: 'v',
  readOnly: false,
  idempotent: false,
  quick: false,
  approval: 'required',
  risk: 'normal',
  approvers: null,
  timeoutMs,
});

export function snapshotOf(tool: CodeTool, over: Partial<ToolSnapshot> = {}): ToolSnapshot {
  const { run: _, ...declared } = tool;
  return { ...declared, kind: 'code', approvers: null, ...over };
}

export const context = (over: Partial<ToolContext> = {}): ToolContext => ({
  runId: 'run_1',
  orgId: 'acme',
  userId: 'ada',
  callId: 'call_1',
  idempotencyKey: 'run_1:call_1',
  dataDir: '/nonexistent',
  signal: new AbortController().signal,
  beforeWrite: () => Promise.resolve(),
  ...over,
});
