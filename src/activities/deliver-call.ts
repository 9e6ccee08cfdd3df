// Makes one claimed call, and says how it ended. The last look before the write is its own: a claim
// that was lost, or a tool that is not what was approved, lets nothing out.

import type { Citation } from '../contract/citation.ts';
import { assertNever } from '../contract/names.ts';
import type { Look } from '../mcp/servers.ts';
import type { Embedder } from '../models/embedder.ts';
import { checkClaim, type ClaimCheck, type ClaimedCall } from '../store/calls/calls.ts';
import type { CallEnd } from '../store/calls/outcomes.ts';
import type { Store } from '../store/database/access.ts';
import type { ToolContext } from '../tools/define-tool.ts';
import type { McpPort } from '../tools/mcp-tool.ts';
import type { ToolResult } from '../tools/tool-result.ts';
import { MissingToolError, runToolCall, type CodeTools } from '../tools/tool.ts';
import { inToolSpan } from '../tracing/tool-span.ts';
import { NO_TRACING, type Tracing } from '../tracing/tracing.ts';
import { builtInPorts } from './built-in-ports.ts';
import type { Heartbeat } from './heartbeat.ts';

export interface DeliverDeps {
  readonly store: Store;
  readonly codeTools: CodeTools;
  readonly secret: (name: string) => string | undefined;
  readonly dataDir: string;
  readonly egressAllow?: readonly string[];
  readonly embedder?: Embedder | undefined;
  readonly mcp?: McpPort;
  readonly tracing?: Tracing;
}

/** `looked`: what its server declares, where the tool is a server's. */
export interface CallToDeliver {
  readonly runId: string;
  readonly callId: string;
  readonly call: ClaimedCall;
  readonly looked: Look | undefined;
}

export interface Delivered {
  readonly end: CallEnd;
  readonly retryAfterMs?: number | undefined;
}

/** What was so at the claim is taken to be so for this long. */
const CLAIM_HOLDS_MS = 100;

/** The last look before the write said no: nothing has gone out. */
export class ClaimLostError extends Error {
  readonly check: Exclude<ClaimCheck, 'GO'>;
  constructor(check: Exclude<ClaimCheck, 'GO'>) {
    super('the call is not ours to make any more');
    this.check = check;
  }
}

/** Nothing was carried out: what was looked at is not what would be called. */
export class ToolMovedError extends Error {}

const isBeforeTheCall = (error: unknown): boolean =>
  error instanceof ClaimLostError ||
  error instanceof MissingToolError ||
  error instanceof ToolMovedError;

export async function deliverCall(
  deps: DeliverDeps,
  delivery: CallToDeliver,
  heartbeat: Heartbeat,
): Promise<Delivered> {
  const { runId, callId, call, looked } = delivery;
  const { codeTools, secret, mcp } = deps;
  let mayHaveHappened = false;
  const lastLook = createLastLook(deps.store, delivery, heartbeat.signal);
  const beforeWrite = async (): Promise<void> => {
    const check = await lastLook();
    if (check !== 'GO') throw new ClaimLostError(check);
    mayHaveHappened = true;
  };
  const citations: Citation[] = [];
  const cite = (found: readonly Citation[]): void => void citations.push(...found);
  try {
    const asked = { tracing: deps.tracing ?? NO_TRACING, tool: call.tool, callId };
    const args = JSON.parse(call.arguments) as Record<string, unknown>;
    const context: ToolContext = {
      ...{ runId, orgId: call.orgId, userId: call.userId, callId },
      idempotencyKey: `${runId}:${callId}`,
      dataDir: deps.dataDir,
      egressAllow: deps.egressAllow ?? [],
      signal: heartbeat.signal,
      beforeWrite,
      onProgress: heartbeat.progress,
      ...builtInPorts(
        { store: deps.store, embedder: deps.embedder },
        { runId, callId, call, cite },
      ),
    };
    const result = await inToolSpan(asked, (trace) =>
      runToolCall(
        call.tool,
        args,
        { ...context, ...trace },
        { codeTools, secret, looked, ...(mcp === undefined ? {} : { mcp }) },
      ),
    );
    return deliveredAs(result, citations, heartbeat.signal.aborted);
  } catch (error) {
    if (!mayHaveHappened || isBeforeTheCall(error)) throw error;
    return { end: { kind: 'UNANSWERED', evidence: 'the tool broke off in the middle' } };
  }
}

/** May it go out now? */
function createLastLook(
  store: Store,
  { runId, callId, call }: CallToDeliver,
  signal: AbortSignal,
): () => ClaimCheck | Promise<ClaimCheck> {
  const claimedAt = performance.now();
  return () => {
    if (signal.aborted) return 'LOST';
    if (call.mayGo && performance.now() - claimedAt < CLAIM_HOLDS_MS) return 'GO';
    return store.asWorker((tx) => checkClaim(tx, runId, callId, call));
  };
}

function deliveredAs(
  result: ToolResult,
  citations: readonly Citation[],
  stopped: boolean,
): Delivered {
  switch (result.kind) {
    case 'DONE': {
      const { text, isError, httpStatus, media } = result;
      return { end: { kind: 'ANSWERED', result: text, isError, httpStatus, citations, media } };
    }
    case 'MOVED':
      throw new ToolMovedError();
    // Stopped by us before a byte went out: it did not happen, and whoever stopped us decides
    // whether it will.
    case 'NOT_SENT':
      return {
        end: stopped
          ? { kind: 'WITHDRAWN' }
          : { kind: 'ANSWERED', result: `Nothing was sent: ${result.why}.`, isError: true },
      };
    case 'UNANSWERED':
      return {
        end: { kind: 'UNANSWERED', evidence: result.why, httpStatus: result.httpStatus },
        retryAfterMs: result.retryAfterMs,
      };
    default:
      return assertNever(result);
  }
}
