// Waiting for people. A signal is only a wake-up: whatever it carries, the outcome comes from the
// store. Signals that arrive while nothing is asked are noted, not kept: a click meant for one
// pause must never decide the next.

import { condition, setHandler, defineSignal } from '@temporalio/workflow';
import { SIGNAL, type DecisionSignal } from '../contract/names.ts';
import type { PauseState } from '../contract/turn.ts';

/**
 * What an operator may type, and what our own wake-up carries (`decided`). Unchecked: the store's
 * side checks it.
 */
export interface ReceivedSignal {
  readonly name: DecisionSignal;
  readonly payload: unknown;
}

// What the Web UI shows beside the names in its dialog.
const DESCRIPTION = {
  approve:
    'Approves what this run waits for. Leave the input empty to approve every call that waits, or give {"callId": "…", "reason": "…"} for one. A high-risk call needs {"callId": "…", "argumentsHash": "…"}, a call of unknown outcome {"callId": "…", "pauseId": "…"}: the tab User Metadata names them.',
  reject:
    'Rejects what this run waits for: it is not run, and the agent is told. Leave the input empty to reject every call that waits, or give {"callId": "…", "reason": "…"} for one.',
} as const;

export interface Approvals {
  /** Waits until the pause is decided; `expiresInMs` is what was left of it when it was opened. */
  readonly wait: (
    pauseId: string,
    expiresInMs: number | null,
    onNote: (note: string) => void,
  ) => Promise<Exclude<PauseState, { kind: 'OPEN' }>>;
}

const isWakeUp = (payload: unknown): boolean =>
  typeof payload === 'object' && payload !== null && 'decided' in payload;

export function receiveDecisions(
  claim: (pauseId: string, signals: readonly ReceivedSignal[]) => Promise<PauseState>,
  onLate: (note: string) => void,
): Approvals {
  let asking = false;
  let woken = false;
  let received: ReceivedSignal[] = [];

  for (const name of [SIGNAL.approve, SIGNAL.reject]) {
    setHandler(
      defineSignal<[unknown?]>(name),
      (payload) => {
        if (isWakeUp(payload)) woken = true;
        else if (asking) received.push({ name, payload: payload ?? null });
        else
          onLate(
            `The signal ${name} came while nothing waited for a decision: it changed nothing.`,
          );
      },
      { description: DESCRIPTION[name] },
    );
  }

  return {
    wait: async (pauseId, expiresInMs, onNote) => {
      asking = true;
      let left = expiresInMs;
      for (;;) {
        const something = (): boolean => woken || received.length > 0;
        if (left === null) await condition(something);
        // An expiry claimed too early comes back with what is left of it, by the database's clock.
        else await condition(something, Math.max(1, left));
        const signals = received;
        received = [];
        woken = false;
        const state = await claim(pauseId, signals);
        if (state.kind !== 'OPEN') {
          asking = false;
          return state;
        }
        if (state.note !== undefined) onNote(state.note);
        left = state.expiresInMs;
      }
    },
  };
}
