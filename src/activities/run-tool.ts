// One tool call: claimed in the ledger, dispatched once for each claim, its outcome recorded once.
// A repeated attempt finds the outcome.

import { randomUUID } from 'node:crypto';
import { assertNever } from '../contract/names.ts';
import type { ToolSnapshot } from '../contract/agent.ts';
import type { CallOutcome } from '../contract/turn.ts';
import type { Store } from '../store/database/access.ts';
import { claimCall, type Claim, type ClaimedCall } from '../store/calls/calls.ts';
import { recordCall, type CallEnd, type Recorded } from '../store/calls/outcomes.ts';
import { readUnknownCall, settleUnknown } from '../store/calls/reconciled.ts';
import { recordLost } from '../store/runs/lost-record.ts';
import { shortDigest } from '../store/calls/call-hash.ts';
import { endAttempt } from '../store/turns/attempts.ts';
import { MissingToolError, currentToolVersion } from '../tools/tool.ts';
import { askReceiver } from '../tools/ask-receiver.ts';
import type { Look } from '../mcp/servers.ts';
import { lookAt, toolNow } from './look-at-tool.ts';
import {
  ClaimLostError,
  ToolMovedError,
  deliverCall,
  type DeliverDeps,
  type Delivered,
} from './deliver-call.ts';
import { endsRun, failureOf, triedAgain } from './failures.ts';
import { withHeartbeat } from './heartbeat.ts';
import { untilStored } from './keep-trying.ts';

export interface RunToolDeps extends DeliverDeps {
  /** For who counts. */
  readonly onCallEnded?: ((tool: string, outcome: CountedOutcome) => void) | undefined;
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

function countedAs({ kind }: Recorded, end: CallEnd): CountedOutcome {
  if (kind === 'DONE') return end.kind === 'ANSWERED' && !end.isError ? 'succeeded' : 'failed';
  return kind === 'UNKNOWN' ? 'unknown' : 'repeated';
}

interface CallToMake {
  readonly runId: string;
  readonly callId: string;
  readonly attemptId: string;
  readonly stop: AbortSignal | undefined;
  readonly looked?: Look | undefined;
}

export function createRunTool(deps: RunToolDeps): RunTool {
  return async function runTool({ runId, callId, inPlace = false }, stop) {
    const make: CallToMake = { runId, callId, attemptId: randomUUID(), stop };
    try {
      const { claim, looked } = await claimOf(deps, make, inPlace);
      switch (claim.kind) {
        case 'DISPATCH':
          return await dispatch(deps, { ...make, looked }, claim.call);
        case 'LOOK':
          throw triedAgain('the tool has become a server\u2019s while it was claimed');
        case 'DONE':
          return { kind: 'DONE', resultDigest: shortDigest(claim.result) };
        case 'UNKNOWN':
          return await askedReceiver(deps, make);
        case 'ASK_AGAIN':
          return { kind: claim.kind };
        case 'ENDED':
          return claim;
        case 'UNDER_WAY':
          throw triedAgain('another worker has this call under way', UNDER_WAY_MS);
        case 'EFFECT_WAITS':
          throw triedAgain('another call has its effect under way', EFFECT_LOOK_MS);
        case 'TIME_OVER':
          throw timeOver();
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
}

const timeOver = () => endsRun('BUDGET_EXCEEDED', 'The run took longer than limits.timeoutMs.');

/** A tool of a server is looked at between two claims: no transaction waits for a server. */
async function claimOf(
  { store, codeTools, mcp }: RunToolDeps,
  { runId, callId, attemptId, stop }: CallToMake,
  inPlace: boolean,
): Promise<{ readonly claim: Claim; readonly looked: Look | undefined }> {
  const versionNow = (tool: ToolSnapshot): string | undefined =>
    currentToolVersion(tool, codeTools);
  const request = { runId, callId, attemptId, inPlace, versionNow };
  const claim = await store.asWorker((tx) => claimCall(tx, request));
  if (claim.kind !== 'LOOK') return { claim, looked: undefined };
  const looked = await lookAt(mcp, claim.tool, stop);
  const now = toolNow(looked);
  return {
    claim: await store.asWorker((tx) => claimCall(tx, { ...request, looked: now })),
    looked,
  };
}

async function dispatch(
  deps: RunToolDeps,
  make: CallToMake,
  call: ClaimedCall,
): Promise<CallOutcome> {
  const { store, onCallEnded } = deps;
  const { runId, callId, attemptId, stop, looked } = make;
  const at = { runId, attemptId, leftMs: call.leftMs, ...(stop === undefined ? {} : { stop }) };
  return withHeartbeat(store, at, async (heartbeat) => {
    let delivered: Delivered;
    try {
      delivered = await deliverCall(deps, { runId, callId, call, looked }, heartbeat);
    } catch (error) {
      return await notDelivered(store, make, call, error);
    }
    const recorded = await untilStored(() =>
      store.asWorker(async (tx) => {
        const outcome = await recordCall(tx, runId, callId, call.n, delivered.end);
        endAttempt(tx, runId, attemptId, {});
        return outcome;
      }),
    );
    onCallEnded?.(call.tool.name, countedAs(recorded, delivered.end));
    if (recorded.kind === 'DONE')
      return { kind: 'DONE', resultDigest: shortDigest(recorded.result) };
    if (heartbeat.reason() === 'TIME_OVER') throw timeOver();
    if (recorded.kind === 'UNKNOWN')
      return askedReceiver(deps, { ...make, stop: heartbeat.signal });
    throw triedAgain('the tool gave no complete answer', delivered.retryAfterMs);
  });
}

/** Nothing went out. */
async function notDelivered(
  store: Store,
  { runId, callId, attemptId }: CallToMake,
  call: ClaimedCall,
  error: unknown,
): Promise<CallOutcome> {
  await store.asWorker((tx) => endAttempt(tx, runId, attemptId, {}));
  if (error instanceof ClaimLostError) {
    if (error.check === 'ASK_AGAIN') return { kind: 'ASK_AGAIN' };
    throw triedAgain(
      'the call was claimed by somebody else, or the run has ended',
      undefined,
      error,
    );
  }
  // The claim is handed back, for an attempt that can make the call.
  await store.asWorker((tx) => recordCall(tx, runId, callId, call.n, { kind: 'WITHDRAWN' }));
  throw error;
}

/** Where its receiver can say what became of it, no person has to. */
async function askedReceiver(
  { store, secret }: RunToolDeps,
  { runId, callId, stop }: CallToMake,
): Promise<CallOutcome> {
  const call = await store.asWorker((tx) => readUnknownCall(tx, runId, callId));
  if (call === undefined) return { kind: 'UNKNOWN' };
  const says = await askReceiver(
    call.tool,
    {
      arguments: JSON.parse(call.arguments) as Record<string, unknown>,
      idempotencyKey: `${runId}:${callId}`,
      signal: stop ?? new AbortController().signal,
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
