// Waiting for people. A signal is only a wake-up: whatever it carries, the outcome comes from the
// store. An operator's signal is about the pause that was shown when it came: it is taken with that
// pause's id, and what is still buffered when the pause ends goes with it. A click meant for one
// pause must never decide the next.

import { condition, patched, setHandler, defineSignal, workflowInfo } from '@temporalio/workflow';
import { SIGNAL, type DecisionSignal } from '../contract/names.ts';
import type { PauseState } from '../contract/turn.ts';
import { boundedPayload, MOST_SIGNALS } from './signal-payload.ts';

/** An operator's signal. Its payload is unchecked: the store's side checks it. */
export interface ReceivedSignal {
  /** The same whenever it is sent to the store again; another after a reset. */
  readonly id: string;
  readonly name: DecisionSignal;
  readonly payload: unknown;
  /** The pause that was shown when it came. */
  readonly pauseId: string;
}

// What the Web UI shows beside the names in its dialog.
const DESCRIPTION = {
  approve:
    'Approves what this run waits for, where the tab User Metadata says that an operator may. Leave the input empty to approve every call that waits, or give {"callId": "…", "reason": "…"} for one. A high-risk call needs {"callId": "…", "argumentsHash": "…"}, a call of unknown outcome {"callId": "…", "pauseId": "…"}: the tab User Metadata names them.',
  reject:
    'Rejects what this run waits for: it is not run, and the agent is told. Leave the input empty to reject every call that waits, or give {"callId": "…", "reason": "…"} for one.',
  decided:
    'Sent by Holdpoint when its record has a decision. It decides nothing by itself: the run looks at the record.',
} as const;

export interface Approvals {
  /** Waits until the pause is decided; `expiresInMs` is what was left of it when it was opened. */
  readonly wait: (
    pauseId: string,
    expiresInMs: number | null,
    onNote: (note: string) => void,
  ) => Promise<Exclude<PauseState, { kind: 'OPEN' }>>;
}

/** The wake-up of the first release. */
const isWakeUp = (payload: unknown): boolean =>
  typeof payload === 'object' && payload !== null && 'decided' in payload;

const unwanted = (name: DecisionSignal, when: string): string =>
  `The signal ${name} came while ${when}: it changed nothing.`;

export function receiveDecisions(
  claim: (pauseId: string, signals: readonly ReceivedSignal[]) => Promise<PauseState>,
  onLate: (note: string) => void,
): Approvals {
  let shown: string | undefined;
  let woken = false;
  let received: ReceivedSignal[] = [];
  let count = 0;

  for (const name of [SIGNAL.approve, SIGNAL.reject]) {
    setHandler(
      defineSignal<[unknown?]>(name),
      (payload) => {
        if (isWakeUp(payload)) woken = true;
        else if (shown === undefined) onLate(unwanted(name, 'nothing waited for a decision'));
        else if (received.length >= MOST_SIGNALS)
          onLate(unwanted(name, `${MOST_SIGNALS} others waited`));
        else
          received.push({
            id: `${workflowInfo().runId} ${++count}`,
            name,
            payload: boundedPayload(payload),
            pauseId: shown,
          });
      },
      { description: DESCRIPTION[name] },
    );
  }
  setHandler(defineSignal<[unknown?]>(SIGNAL.decided), () => void (woken = true), {
    description: DESCRIPTION.decided,
  });

  /** Clicks that came too late for the pause that has ended. */
  function dropReceived(): void {
    // A history of the first release carried them to the next pause, where the store refuses them.
    if (received.length === 0 || !patched('signals-end-with-pause')) return;
    onLate(
      `The signal ${received.map(({ name }) => name).join(', ')} came after the decision: it changed nothing.`,
    );
    received = [];
  }

  return {
    wait: async (pauseId, expiresInMs, onNote) => {
      shown = pauseId;
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
        if ('note' in state && state.note !== undefined) onNote(state.note);
        if (state.kind !== 'OPEN') {
          shown = undefined;
          dropReceived();
          return state;
        }
        left = state.expiresInMs;
      }
    },
  };
}
