// An operator's signal, cast as a vote like any other: it is about the pause that was shown when it
// came.

import { z } from 'zod';
import { AppError } from '../contract/errors.ts';
import { assertNever, SIGNAL, type DecisionSignal } from '../contract/names.ts';
import { castVotes } from '../store/calls/votes.ts';
import type { OperatorDecisions, VoteRequest } from '../store/calls/vote-policy.ts';
import type { Store } from '../store/database/access.ts';
import { endedAs, lockRun } from '../store/runs/runs.ts';

/** `id` and `pauseId` (the pause shown when it came) are missing in what the first release asks. */
export interface SignalToCast {
  readonly id?: string;
  readonly name: DecisionSignal;
  readonly payload: unknown;
  readonly pauseId?: string;
}

/** What an operator may type beside the signal's name. */
const PayloadSchema = z
  .strictObject({
    callId: z.string().max(100).optional(),
    reason: z.string().max(2000).optional(),
    argumentsHash: z.string().max(100).optional(),
    pauseId: z.string().max(100).optional(),
  })
  .nullable();

export interface OperatorVotes {
  readonly store: Store;
  readonly operatorDecisions: OperatorDecisions;
}

/** A note where the signal changed nothing. */
export async function castForOperator(
  { store, operatorDecisions }: OperatorVotes,
  runId: string,
  asked: string,
  signal: SignalToCast,
): Promise<string | undefined> {
  const parsed = PayloadSchema.safeParse(signal.payload);
  if (!parsed.success)
    return `The signal ${signal.name} was not understood: it takes nothing, or one object with callId, reason, argumentsHash, pauseId. It changed nothing.`;
  const { callId, pauseId, argumentsHash, reason } = parsed.data ?? {};
  const action = actionOf(signal.name);
  if (argumentsHash !== undefined && callId === undefined)
    return `The signal ${signal.name} has an argumentsHash but no callId. It changed nothing.`;
  const shownPauseId = signal.pauseId ?? asked;
  if (shownPauseId !== asked)
    return `The signal ${signal.name} came while another pause was shown. It changed nothing.`;
  const request: VoteRequest = {
    id: signal.id,
    pauseId,
    shownPauseId,
    votes:
      callId === undefined
        ? { all: { action, reason } }
        : { each: [{ callId, action, reason, argumentsHash }] },
  };
  try {
    const result = await store.asWorker(async (tx) => {
      const run = await lockRun(tx, runId);
      if (run === undefined || endedAs(run) !== undefined) return undefined;
      return castVotes(tx, run, { kind: 'operator', allowed: operatorDecisions }, request, () => ({
        problem: 'an operator does not edit',
      }));
    });
    if (result !== undefined && 'refused' in result) throw result.refused;
    return undefined;
  } catch (error) {
    if (error instanceof AppError)
      return `The signal ${signal.name} changed nothing: ${error.detail}`;
    throw error;
  }
}

function actionOf(name: DecisionSignal): 'APPROVE' | 'REJECT' {
  switch (name) {
    case SIGNAL.approve:
      return 'APPROVE';
    case SIGNAL.reject:
      return 'REJECT';
    default:
      return assertNever(name);
  }
}
