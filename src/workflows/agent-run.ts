// The workflow of a run: wiring of handlers, scopes and proxies around the loop. Workflow id = run
// id. Imports no registry, config or schema: what a run needs is in its input and in the store.
// Replayed code: its commands change only behind patched().

import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  log,
  patched,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { RunToolRequest } from '../activities/run-tool.ts';
import { isTerminal, RUN_FAILED, type RunFailure } from '../contract/names.ts';
import type {
  AgentRunInput,
  CallInPlace,
  PauseState,
  PauseView,
  RunEndShown,
  Settled,
  TurnReply,
} from '../contract/turn.ts';
import { agentLoop, type LoopEnd, type LoopPorts, type ModelAnswer } from './agent-loop.ts';
import { receiveDecisions, type Approvals } from './approvals.ts';
import { close, refuseCopy, showStatus } from './close.ts';
import { createDetails, type Details } from './details.ts';
import { failureOfStep, fromWorker } from './by-hand.ts';
import { callInPlace, extraOptions, workOptions } from './policies.ts';
import { claimDecision, settleRun } from './store-steps.ts';

type Decided = Exclude<PauseState, { kind: 'OPEN' }>;

export async function agentRun(input: AgentRunInput): Promise<RunEndShown> {
  const { runId } = input;
  refuseCopy(runId);
  const details = createDetails();
  const approvals = receiveDecisions(
    (pauseId, signals) => claimDecision(runId, { pauseId }, signals),
    details.showNote,
  );
  let end: LoopEnd | { kind: 'CANCELLED' };
  let endedBy: unknown;
  try {
    end = await agentLoop(input, portsOf(input, details, approvals));
  } catch (error) {
    endedBy = error;
    end = endOf(error);
  }
  const settled =
    end.kind === 'ENDED'
      ? end
      : await CancellationScope.nonCancellable(() => settleRun(input, end));
  if (settled.status === 'FAILED') logFailure(runId, settled.failure, endedBy);
  details.showEnd(settled);
  return close(runId, settled);
}

/** An activity of the run's active time. */
const work = ({ limits }: AgentRunInput, summary: string): ActivityProxy =>
  proxyActivities<Activities>({ ...workOptions(limits.timeoutMs), summary });
type ActivityProxy = ReturnType<typeof proxyActivities<Activities>>;

function portsOf(input: AgentRunInput, details: Details, approvals: Approvals): LoopPorts {
  const { runId } = input;
  return {
    callModel: async (turn) => {
      const summary = `turn ${turn} · ${input.model}`;
      const asked = work(input, summary).callModel({ runId, turn, whenAway: 'tell' });
      const reply = fromWorker(await asked);
      return reply.kind === 'AWAY' ? waitForModel(input, details, turn, reply) : reply;
    },
    suggestFollowUps: async (turn) => {
      const extra = proxyActivities<Activities>({
        ...extraOptions,
        summary: `follow-ups · ${input.model}`,
      });
      try {
        await extra.suggestFollowUps({ runId, turn });
      } catch (error) {
        // An extra that failed for good leaves the answer as it is; a cancellation, and a mistake of
        // ours, are thrown.
        if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      }
    },
    runTool: async (_turn, call) => {
      const request = { runId, callId: call.callId };
      if (call.inPlace === true) {
        const begun = await runInPlace(request, call.label);
        if (begun.kind !== 'NOT_YET') return begun;
        if (begun.afterMs > 0) await sleep(begun.afterMs);
      }
      return fromWorker(await work(input, call.label).runTool(request));
    },
    asksAboutChanged: () => patched('ask-about-changed-tools'),
    ask: async (turn, n, pauseKind, callIds) => {
      for (;;) {
        const settled = await settleRun(input, { kind: 'PAUSED', turn, n, pauseKind, callIds });
        // The ledger has an outcome of each of them.
        if (settled.nothingWaits === true) return { kind: 'DECIDED', approved: callIds };
        // A repeated attempt may find the pause decided already: then the store has the decision.
        const state =
          settled.pause === undefined
            ? await decidedAlready(runId, settled, turn, n)
            : await waitForPeople(details, approvals, settled.pause);
        if (state.kind !== 'NOT_OPENED') return state;
      }
    },
  };
}

async function waitForPeople(
  details: Details,
  approvals: Approvals,
  view: PauseView,
): Promise<Decided> {
  details.show(`${view.waiting}\n\nIt waits since ${view.waitingSince}.`);
  showStatus('PAUSED', new Date(view.waitingSince));
  const state = await approvals.wait(view.pauseId, view.expiresInMs, details.showNote);
  details.show(state.kind === 'DECIDED' ? (state.said ?? '') : '');
  if (state.kind === 'DECIDED') showStatus('RUNNING', null);
  return state;
}

async function waitForModel(
  input: AgentRunInput,
  details: Details,
  turn: number,
  { waitingFor, afterMs }: Extract<TurnReply, { kind: 'AWAY' }>,
): Promise<ModelAnswer> {
  details.show(
    `This run waits for its model since ${waitingFor.since}: ${waitingFor.lastProblem}\n\nIt goes on by itself when the model answers; the pending activity shows the latest attempt. Nothing has to be done here, and it can be cancelled.`,
  );
  await sleep(afterMs);
  const waits = work(input, `turn ${turn} · waits for ${input.model}`);
  const reply = fromWorker(await waits.callModel({ runId: input.runId, turn }));
  details.show('');
  if (reply.kind === 'AWAY') throw new Error('a model call that waits returned AWAY');
  return reply;
}

/** What the local activity does not come to, a regular one does. */
async function runInPlace(request: RunToolRequest, summary: string): Promise<CallInPlace> {
  try {
    const here = proxyLocalActivities<Activities>({ ...callInPlace, summary });
    return await here.runToolInPlace(request);
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : error;
    if (isCancellation(error) || (cause instanceof ApplicationFailure && cause.nonRetryable))
      throw error;
    return { kind: 'NOT_YET', afterMs: 0 };
  }
}

/** The one line of a failed run, with what only the worker knows: the causes below the failure. */
function logFailure(runId: string, failure: RunFailure | undefined, endedBy: unknown): void {
  const messages = new Set([failure?.message ?? '']);
  // An activity's failure has no message of its own; a cycle ends at a repeated message.
  let below = endedBy instanceof ActivityFailure ? endedBy.cause : endedBy;
  for (; below instanceof Error && messages.size < MOST_CAUSES; below = below.cause)
    messages.add(below.message);
  log.warn(RUN_FAILED, { workflowId: runId, code: failure?.code, cause: [...messages].join(': ') });
}

/** As many as name a refused connection below the client, the model and the activity. */
const MOST_CAUSES = 6;

function endOf(error: unknown): { kind: 'CANCELLED' } | { kind: 'FAILED'; failure: RunFailure } {
  if (isCancellation(error)) return { kind: 'CANCELLED' };
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) return { kind: 'FAILED', failure: failureOfStep(cause) };
  if (cause instanceof TimeoutFailure)
    return {
      kind: 'FAILED',
      failure: { code: 'BUDGET_EXCEEDED', message: 'The run took longer than limits.timeoutMs.' },
    };
  throw error; // a mistake of ours: the task waits for a fix, no run is lost
}

async function decidedAlready(
  runId: string,
  settled: Settled,
  turn: number,
  n: number,
): Promise<Decided> {
  if (isTerminal(settled.status))
    return {
      kind: 'ENDED',
      status: settled.status,
      ...(settled.failure ? { failure: settled.failure } : {}),
    };
  const state = await claimDecision(runId, { turn, n }, []);
  if (state.kind === 'OPEN')
    throw new Error(
      `pause ${n} of turn ${turn} is open in the store, but its settling did not return it`,
    );
  return state;
}
