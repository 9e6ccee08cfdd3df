// One tool call: claimed in the ledger, dispatched once for each claim, its outcome recorded once.
// A repeated attempt finds the outcome.

import { randomUUID } from 'node:crypto';
import { assertNever } from '../contract/names.ts';
import type { ToolSnapshot } from '../contract/agent.ts';
import type { Citation } from '../contract/citation.ts';
import type { CallOutcome } from '../contract/turn.ts';
import type { Embedder } from '../models/embedder.ts';
import type { Store } from '../store/database/access.ts';
import { checkClaim, claimCall, type ClaimCheck, type ClaimedCall } from '../store/calls/calls.ts';
import { recordCall, type CallEnd, type Recorded } from '../store/calls/outcomes.ts';
import { readUnknownCall, settleUnknown } from '../store/calls/reconciled.ts';
import { recordLost } from '../store/runs/lost-record.ts';
import { shortDigest } from '../store/calls/call-hash.ts';
import { endAttempt } from '../store/turns/attempts.ts';
import {
  MissingToolError,
  currentToolVersion,
  runToolCall,
  type CodeTools,
} from '../tools/tool.ts';
import { askReceiver } from '../tools/ask-receiver.ts';
import type { McpPort } from '../tools/mcp-tool.ts';
import type { Look } from '../mcp/servers.ts';
import { lookAt, toolNow } from './look-at-tool.ts';
import { builtInPorts } from './built-in-ports.ts';
import { endsRun, failureOf, triedAgain } from './failures.ts';
import { withHeartbeat, type Heartbeat } from './heartbeat.ts';
import { untilStored } from './keep-trying.ts';

export interface RunToolDeps {
  readonly store: Store;
  readonly codeTools: CodeTools;
  readonly secret: (name: string) => string | undefined;
  readonly dataDir: string;
  readonly egressAllow?: readonly string[];
  readonly embedder?: Embedder | undefined;
  /** For who counts. */
  readonly onCallEnded?: ((tool: string, outcome: CountedOutcome) => void) | undefined;
  readonly mcp?: McpPort;
}

/** `repeated`: unanswered, and tried again. */
export type CountedOutcome = 'succeeded' | 'failed' | 'unknown' | 'repeated';

export interface RunToolRequest {
  readonly runId: string;
  readonly callId: string;
  /** Within the workflow's own task: in-place-calls.ts. */
  readonly inPlace?: boolean;
}

/** `stop`: what stops it beside its own activity. */
export type RunTool = (request: RunToolRequest, stop?: AbortSignal) => Promise<CallOutcome>;

/** How soon a call that another worker has under way is looked at again. */
const UNDER_WAY_MS = 300;

/** How soon a call is looked at again whose effect another one may have had. */
const EFFECT_LOOK_MS = 2000;

/** What was so at the claim is taken to be so for this long. */
const CLAIM_HOLDS_MS = 100;

/** Thrown where the last check before the write says no: nothing has gone out. */
class ClaimLostError extends Error {
  readonly check: Exclude<ClaimCheck, 'GO'>;
  constructor(check: Exclude<ClaimCheck, 'GO'>) {
    super('the call is not ours to make any more');
    this.check = check;
  }
}

function countedAs({ kind }: Recorded, end: CallEnd): CountedOutcome {
  if (kind === 'DONE') return end.kind === 'ANSWERED' && !end.isError ? 'succeeded' : 'failed';
  return kind === 'UNKNOWN' ? 'unknown' : 'repeated';
}

/** Nothing was carried out: what was looked at is not what would be called. */
class ToolMovedError extends Error {}

export function createRunTool({
  store,
  codeTools,
  secret,
  dataDir,
  egressAllow = [],
  embedder,
  onCallEnded,
  mcp,
}: RunToolDeps): RunTool {
  return async function runTool({ runId, callId, inPlace = false }, stop) {
    const attemptId = randomUUID();
    try {
      const versionNow = (tool: ToolSnapshot): string | undefined =>
        currentToolVersion(tool, codeTools);
      const request = { runId, callId, attemptId, inPlace, versionNow };
      let claim = await store.asWorker((tx) => claimCall(tx, request));
      let looked: Look | undefined;
      if (claim.kind === 'LOOK') {
        looked = await lookAt(mcp, claim.tool, stop);
        const now = toolNow(looked);
        claim = await store.asWorker((tx) => claimCall(tx, { ...request, looked: now }));
      }
      switch (claim.kind) {
        case 'DISPATCH':
          return await dispatch({ runId, callId, stop, looked }, attemptId, claim.call);
        case 'LOOK':
          throw triedAgain('the tool has become a server\u2019s while it was claimed');
        case 'DONE':
          return { kind: 'DONE', resultDigest: shortDigest(claim.result) };
        case 'UNKNOWN':
          return await askedReceiver({ runId, callId }, stop);
        case 'ASK_AGAIN':
          return { kind: claim.kind };
        case 'ENDED':
          return claim;
        case 'UNDER_WAY':
          throw triedAgain('another worker has this call under way', UNDER_WAY_MS);
        case 'EFFECT_WAITS':
          throw triedAgain('another call has its effect under way', EFFECT_LOOK_MS);
        case 'TIME_OVER':
          throw endsRun('BUDGET_EXCEEDED', 'The run took longer than limits.timeoutMs.');
        case 'GONE':
          throw endsRun('RECORD_LOST', recordLost('a call').message);
        default:
          return assertNever(claim);
      }
    } catch (error) {
      if (error instanceof MissingToolError)
        throw triedAgain('this worker lacks the tool', undefined, error);
      if (error instanceof ToolMovedError) throw triedAgain('the tool\u2019s server has changed');
      throw failureOf(error);
    }
  };

  async function dispatch(
    {
      runId,
      callId,
      stop,
      looked,
    }: RunToolRequest & {
      readonly stop: AbortSignal | undefined;
      readonly looked: Look | undefined;
    },
    attemptId: string,
    call: ClaimedCall,
  ): Promise<CallOutcome> {
    const at = { runId, attemptId, leftMs: call.leftMs, ...(stop === undefined ? {} : { stop }) };
    return withHeartbeat(store, at, async (heartbeat) => {
      let end: CallEnd;
      let retryAfterMs: number | undefined;
      try {
        ({ end, retryAfterMs } = await deliver({ runId, callId, looked }, call, heartbeat));
      } catch (error) {
        await store.asWorker((tx) => endAttempt(tx, runId, attemptId, {}));
        if (error instanceof ClaimLostError) {
          if (error.check === 'ASK_AGAIN') return { kind: 'ASK_AGAIN' };
          throw triedAgain(
            'the call was claimed by somebody else, or the run has ended',
            undefined,
            error,
          );
        }
        // Nothing went out: the claim is handed back, for an attempt that can make the call.
        await store.asWorker((tx) => recordCall(tx, runId, callId, call.n, { kind: 'WITHDRAWN' }));
        throw error;
      }
      const recorded = await untilStored(() =>
        store.asWorker(async (tx) => {
          const outcome = await recordCall(tx, runId, callId, call.n, end);
          endAttempt(tx, runId, attemptId, {});
          return outcome;
        }),
      );
      onCallEnded?.(call.tool.name, countedAs(recorded, end));
      if (recorded.kind === 'DONE')
        return { kind: 'DONE', resultDigest: shortDigest(recorded.result) };
      if (heartbeat.reason() === 'TIME_OVER')
        throw endsRun('BUDGET_EXCEEDED', 'The run took longer than limits.timeoutMs.');
      if (recorded.kind === 'UNKNOWN') return askedReceiver({ runId, callId }, heartbeat.signal);
      throw triedAgain('the tool gave no complete answer', retryAfterMs);
    });
  }

  /** Where its receiver can say what became of it, no person has to. */
  async function askedReceiver(
    { runId, callId }: { readonly runId: string; readonly callId: string },
    stop: AbortSignal = new AbortController().signal,
  ): Promise<CallOutcome> {
    const call = await store.asWorker((tx) => readUnknownCall(tx, runId, callId));
    if (call === undefined) return { kind: 'UNKNOWN' };
    const says = await askReceiver(
      call.tool,
      {
        arguments: JSON.parse(call.arguments) as Record<string, unknown>,
        idempotencyKey: `${runId}:${callId}`,
        signal: stop,
      },
      secret,
    );
    const settled = await untilStored(() =>
      store.asWorker((tx) => settleUnknown(tx, runId, callId, says)),
    );
    if (settled.kind === 'DONE') return { kind: 'DONE', resultDigest: shortDigest(settled.result) };
    if (settled.kind === 'UNKNOWN') return { kind: 'UNKNOWN' };
    throw triedAgain('its receiver says that the call did not happen');
  }

  async function deliver(
    { runId, callId, looked }: { runId: string; callId: string; looked: Look | undefined },
    call: ClaimedCall,
    heartbeat: Heartbeat,
  ): Promise<{ readonly end: CallEnd; readonly retryAfterMs?: number | undefined }> {
    let mayHaveHappened = false;
    const claimedAt = performance.now();
    const look = (): ClaimCheck | Promise<ClaimCheck> => {
      if (heartbeat.signal.aborted) return 'LOST';
      if (call.mayGo && performance.now() - claimedAt < CLAIM_HOLDS_MS) return 'GO';
      return store.asWorker((tx) => checkClaim(tx, runId, callId, call));
    };
    const citations: Citation[] = [];
    const cite = (found: readonly Citation[]): void => void citations.push(...found);
    const beforeWrite = async (): Promise<void> => {
      const check = await look();
      if (check !== 'GO') throw new ClaimLostError(check);
      mayHaveHappened = true;
    };
    try {
      const result = await runToolCall(
        call.tool,
        JSON.parse(call.arguments) as Record<string, unknown>,
        {
          runId,
          orgId: call.orgId,
          userId: call.userId,
          callId,
          idempotencyKey: `${runId}:${callId}`,
          dataDir,
          egressAllow,
          signal: heartbeat.signal,
          beforeWrite,
          onProgress: heartbeat.progress,
          ...builtInPorts({ store, embedder }, { runId, callId, call, cite }),
        },
        { codeTools, secret, looked, ...(mcp === undefined ? {} : { mcp }) },
      );
      if (result.kind === 'DONE')
        return {
          end: {
            kind: 'ANSWERED',
            result: result.text,
            isError: result.isError,
            httpStatus: result.httpStatus,
            citations,
            media: result.media,
          },
        };
      if (result.kind === 'MOVED') throw new ToolMovedError();
      // Stopped by us before a byte went out: it did not happen, and whoever stopped us decides
      // whether it will.
      if (result.kind === 'NOT_SENT')
        return {
          end: heartbeat.signal.aborted
            ? { kind: 'WITHDRAWN' }
            : { kind: 'ANSWERED', result: `Nothing was sent: ${result.why}.`, isError: true },
        };
      const { why, httpStatus, retryAfterMs } = result;
      return { end: { kind: 'UNANSWERED', evidence: why, httpStatus }, retryAfterMs };
    } catch (error) {
      if (
        error instanceof ClaimLostError ||
        error instanceof MissingToolError ||
        error instanceof ToolMovedError ||
        !mayHaveHappened
      )
        throw error;
      return { end: { kind: 'UNANSWERED', evidence: 'the tool broke off in the middle' } };
    }
  }
}
