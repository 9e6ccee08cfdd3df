// Sends lines of the outbox. Lines of a run go in order. A line is acknowledged when the server has
// taken it, or when its workflow is gone (then the run is reconciled). When lines are looked for is
// outbox.ts.

import { randomUUID } from 'node:crypto';
import { assertNever } from '../contract/names.ts';
import type { Store } from '../store/database/access.ts';
import {
  acknowledgeOutboxLines,
  leaseOutboxLines,
  returnOutboxLines,
  type OutboxLine,
} from '../store/outbox.ts';
import type { TemporalIdentity } from './counterpart.ts';
import type { Gateway, GatewayAnswer } from './gateway.ts';

export interface SendLinesDeps {
  readonly store: Store;
  readonly gateway: Pick<Gateway, 'start' | 'wake' | 'cancel'>;
  /** Its check rejects where Temporal is not the one that the record belongs to. */
  readonly identity: TemporalIdentity;
  /** The workflow of a run is not there: the run is to be compared with its record. */
  readonly onGone: (runId: string) => void;
  readonly log: { warn: (o: object, m: string) => void };
}

export interface SendLines {
  /** Lines of one run; `onTaken` after each round in which all were taken. */
  readonly ofRun: (runId: string, onTaken: () => void) => Promise<boolean>;
  /** Lines of any run, until `stopped`: the rest is left to other processes. */
  readonly ofAnyRun: (stopped: () => boolean) => Promise<boolean>;
}

const LINES_AT_ONCE = 50;

const idsOf = (lines: readonly OutboxLine[]): readonly number[] => lines.map((line) => line.id);

/** What it returns resolves when nothing is left: false where a line was not taken. */
export function createSendLines(deps: SendLinesDeps): SendLines {
  const { store } = deps;
  /** Leases whose reply was lost: no other process takes their lines before they end. */
  const lostLeases: string[] = [];

  /** Acknowledges what the round before sent in the same transaction. */
  async function nextLines(
    runId: string | null,
    taken: readonly OutboxLine[],
    stopped: () => boolean,
  ): Promise<readonly OutboxLine[]> {
    const lease = (runId === null ? lostLeases.pop() : undefined) ?? randomUUID();
    try {
      return await store.asReconciler(async (tx) => {
        if (taken.length > 0) await acknowledgeOutboxLines(tx, idsOf(taken));
        return stopped() ? [] : leaseOutboxLines(tx, runId, LINES_AT_ONCE, lease);
      });
    } catch (error) {
      lostLeases.push(lease);
      throw error;
    }
  }

  async function send(
    runId: string | null,
    onTaken: () => void,
    stopped: () => boolean,
  ): Promise<boolean> {
    let taken: readonly OutboxLine[] = [];
    for (;;) {
      const lines = await nextLines(runId, taken, stopped);
      if (lines.length === 0) return true;
      const results = await Promise.all(lines.map((line) => sendLine(deps, line)));
      taken = lines.filter((_, i) => results[i] === true);
      const left = lines.filter((_, i) => results[i] === false);
      if (left.length === 0) {
        onTaken();
        continue;
      }
      await store.asReconciler(async (tx) => {
        await acknowledgeOutboxLines(tx, idsOf(taken));
        await returnOutboxLines(tx, idsOf(left));
      });
      return false;
    }
  }

  return {
    ofRun: (runId, onTaken) => send(runId, onTaken, () => false),
    ofAnyRun: (stopped) => send(null, () => undefined, stopped),
  };
}

/** True if the server took it. */
async function sendLine(
  { gateway, identity, onGone, log }: SendLinesDeps,
  line: OutboxLine,
): Promise<boolean> {
  try {
    await identity.check();
    const answer = await callGateway(gateway, line);
    if (answer === 'gone') onGone(line.runId);
    return answer !== 'busy';
  } catch (error) {
    identity.invalidate();
    log.warn(
      { err: error, runId: line.runId, kind: line.message.kind },
      'Temporal did not take an outbox line; it is tried again',
    );
    return false;
  }
}

function callGateway(
  gateway: SendLinesDeps['gateway'],
  { runId, message }: OutboxLine,
): Promise<GatewayAnswer> {
  switch (message.kind) {
    case 'START':
      return gateway.start(message.input);
    case 'SIGNAL':
      return gateway.wake(runId, { pauseId: message.pauseId, calls: message.calls ?? [] });
    case 'CANCEL':
      return gateway.cancel(runId);
    default:
      return assertNever(message);
  }
}
