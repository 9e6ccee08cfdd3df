// One model call of a turn. A repeated attempt finds its own reply; the workflow gets ids and
// decisions, the store the text.

import { randomUUID } from 'node:crypto';
import { assertNever } from '../contract/names.ts';
import type { TurnReply } from '../contract/turn.ts';
import { publicAddresses } from '../egress/public-address.ts';
import type { Model } from '../models/model.ts';
import type { Store } from '../store/database/access.ts';
import { beginTurn } from '../store/turns/turns.ts';
import { annotated } from './annotated-reply.ts';
import { askModel } from './ask-model.ts';
import { endsRun, failureOf } from './failures.ts';
import { timeOver } from './turn-budget.ts';

export interface CallModelDeps {
  readonly store: Store;
  readonly model: Model;
  /** Addresses that media may be fetched from though they are no public ones. */
  readonly egressAllow?: readonly string[];
  /** How long a run waits for a model that is away; 0: not at all. */
  readonly modelPatienceMs?: number;
}

export interface CallModelRequest {
  readonly runId: string;
  readonly turn: number;
  /**
   * `tell`: the call returns once the model is away, and the workflow calls again. Else the call
   * waits by itself, from attempt to attempt.
   */
  readonly whenAway?: 'tell' | undefined;
}

export function createCallModel({
  store,
  model,
  egressAllow = [],
  modelPatienceMs = 0,
}: CallModelDeps) {
  const addresses = publicAddresses(egressAllow);
  const deps = { store, model, addresses, modelPatienceMs };
  return async function callModel({ runId, turn, whenAway }: CallModelRequest): Promise<TurnReply> {
    const attemptId = randomUUID();
    try {
      const begun = await store.asWorker((tx) => beginTurn(tx, runId, turn, attemptId));
      switch (begun.kind) {
        case 'GONE':
          return {
            kind: 'ENDED',
            status: 'FAILED',
            failure: { code: 'INTERNAL', message: 'The record of this run is gone.' },
          };
        case 'ENDED':
          return begun;
        case 'BEHIND':
          throw endsRun(begun.failure.code, begun.failure.message);
        case 'REPLIED':
          if (begun.activeMs >= begun.agent.limits.timeoutMs) throw timeOver(begun);
          return annotated(begun.reply, begun.agent);
        case 'WORK':
          return await askModel(deps, { runId, turn, whenAway, attemptId, work: begun.work });
        default:
          return assertNever(begun);
      }
    } catch (error) {
      throw failureOf(error);
    }
  };
}
