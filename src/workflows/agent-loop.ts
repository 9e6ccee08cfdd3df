// The whole loop, on one page and without an SDK: ask the model, run the calls it asks for, again,
// until an answer. Everything it does goes through its ports. Replayed code: change the order of
// port calls only behind patched() in agent-run.ts.

import type {
  AgentRunInput,
  AnnotatedCall,
  CallOutcome,
  Settlement,
  TakenUp,
  TurnReply,
  PauseKind,
} from '../contract/turn.ts';
import { assertNever, type RunFailure, type TerminalStatus } from '../contract/names.ts';
import { createBudget, maxTurnsProblem, type Budget } from './limits.ts';

/** The run has ended already, and not by this loop. */
export interface Ended {
  readonly kind: 'ENDED';
  readonly status: TerminalStatus;
  readonly failure?: RunFailure;
}

/** A model that is away was waited for. */
export type ModelAnswer = Exclude<TurnReply, { kind: 'AWAY' }>;

export interface LoopPorts {
  readonly callModel: (turn: number) => Promise<ModelAnswer>;
  /** Asks for questions that may follow the answer. Never fails the run. */
  readonly suggestFollowUps: (turn: number) => Promise<void>;
  readonly runTool: (turn: number, call: AnnotatedCall) => Promise<CallOutcome>;
  /**
   * Whether an unguarded call that is to be asked about is: the first releases knew of none. Only
   * called where there is one.
   */
  readonly asksAboutChanged: () => boolean;
  /**
   * Opens the `n`th pause of a turn and waits until every call of it is decided. The approved ones
   * come back.
   */
  readonly ask: (
    turn: number,
    n: number,
    kind: PauseKind,
    callIds: readonly string[],
  ) => Promise<
    { kind: 'DECIDED'; approved: readonly string[]; withdrawn?: readonly string[] } | Ended
  >;
}

export type LoopEnd = Exclude<Settlement, { kind: 'PAUSED' | 'CANCELLED' }> | Ended;

export async function agentLoop(input: AgentRunInput, ports: LoopPorts): Promise<LoopEnd> {
  const { takenUp } = input;
  const budget = createBudget(input.limits, takenUp);
  for (let turn = takenUp?.fromTurn ?? 1; ; turn++) {
    const tooMany = maxTurnsProblem(input.limits, turn);
    if (tooMany !== undefined) return { kind: 'FAILED', failure: tooMany };
    const reply = await ports.callModel(turn);
    switch (reply.kind) {
      case 'ENDED':
        return reply;
      case 'ANSWER':
        if (input.followUps === true) await ports.suggestFollowUps(turn);
        return { kind: 'COMPLETED', turn };
      case 'CALLS': {
        const over = budget.take(reply.calls);
        if (over !== undefined) return { kind: 'FAILED', failure: over };
        const earlier = turn === takenUp?.fromTurn ? takenUp : undefined;
        const outcomes = await runCalls(turn, reply.calls, ports, budget, earlier);
        if (outcomes.kind !== 'DONE') return outcomes;
        const looping = budget.saw(reply.calls, outcomes.digests);
        if (looping !== undefined) return { kind: 'FAILED', failure: looping };
        break;
      }
      default:
        return assertNever(reply);
    }
  }
}

type Stopped = Ended | { readonly kind: 'FAILED'; readonly failure: RunFailure };

interface Done {
  readonly kind: 'DONE';
  /** Of the results, by call id. */
  readonly digests: ReadonlyMap<string, string>;
}

/** An unguarded call is asked about where its tool has changed under it. */
const changed = (
  callIds: readonly string[],
  ports: Pick<LoopPorts, 'asksAboutChanged'>,
): readonly string[] => (callIds.length > 0 && ports.asksAboutChanged() ? callIds : []);

/**
 * Unguarded calls at once; then a pause for the guarded ones; then one for those of which nobody
 * knows whether they happened. `earlier`: an execution before this one came as far as this turn.
 */
async function runCalls(
  turn: number,
  calls: readonly AnnotatedCall[],
  ports: LoopPorts,
  budget: Pick<Budget, 'rejected'>,
  earlier?: TakenUp,
): Promise<Done | Stopped> {
  const byId = new Map(calls.map((call) => [call.callId, call]));
  const digests = new Map(
    calls.flatMap((call) =>
      call.refused ? [[call.callId, call.refused.resultDigest] as const] : [],
    ),
  );
  const unknown = new Set<string>();
  let pauses = earlier?.pauses ?? 0;

  async function dispatch(callIds: readonly string[]): Promise<readonly string[] | Stopped> {
    const wanted = callIds.flatMap((id) => byId.get(id) ?? []);
    const outcomes = await Promise.all(
      wanted.map(async (call) => ({ call, outcome: await ports.runTool(turn, call) })),
    );
    const askAgain: string[] = [];
    for (const { call, outcome } of outcomes) {
      if (outcome.kind === 'ENDED') return outcome;
      if (outcome.kind === 'DONE') digests.set(call.callId, outcome.resultDigest);
      else if (outcome.kind === 'UNKNOWN') unknown.add(call.callId);
      else askAgain.push(call.callId);
    }
    return askAgain;
  }

  async function askAndDispatch(
    kind: PauseKind,
    callIds: readonly string[],
  ): Promise<readonly string[] | Stopped> {
    const decided = await ports.ask(turn, ++pauses, kind, callIds);
    if (decided.kind === 'ENDED') return decided;
    // Leaving a call of unknown outcome is no rejection, nor is what the user has taken back.
    const others = [...decided.approved, ...(decided.withdrawn ?? [])];
    const rejected = kind === 'APPROVAL' ? callIds.filter((id) => !others.includes(id)) : [];
    const tooMany = budget.rejected(rejected.flatMap((id) => byId.get(id) ?? []));
    return tooMany === undefined
      ? dispatch(decided.approved)
      : { kind: 'FAILED', failure: tooMany };
  }

  const open = calls.filter((call) => !call.refused);
  const isGuarded = (call: AnnotatedCall): boolean => call.approval === 'required';
  const namesOf = (some: readonly AnnotatedCall[]): readonly string[] =>
    some.map((call) => call.callId);
  // Where an earlier execution was here, the store knows of each call, guarded ones too, whether it
  // is done, approved, unknown or to be asked about.
  let again = await dispatch(
    namesOf(earlier === undefined ? open.filter((call) => !isGuarded(call)) : open),
  );
  if ('kind' in again) return again;
  // A grant that seemed to cover a call may not have: then people are asked about it, too.
  if (earlier === undefined) again = [...changed(again, ports), ...namesOf(open.filter(isGuarded))];
  while (again.length > 0 || unknown.size > 0) {
    const kind: PauseKind = again.length > 0 ? 'APPROVAL' : 'OUTCOME_UNKNOWN';
    const asked = again.length > 0 ? again : [...unknown];
    if (kind === 'OUTCOME_UNKNOWN') unknown.clear();
    again = await askAndDispatch(kind, asked);
    if ('kind' in again) return again;
  }
  return { kind: 'DONE', digests };
}
