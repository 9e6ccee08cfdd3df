// Sends what the store wants told to Temporal: at once by the process that committed it, else by
// any. Lines of a run go in order. A line is acknowledged when the server has taken it, or when it
// can't any more (then the run goes to reconciliation).

import { randomUUID } from 'node:crypto';
import { assertNever } from '../contract/names.ts';
import { withDeadline } from '../deadline.ts';
import type { Store } from '../store/database/access.ts';
import {
  acknowledgeLeases,
  acknowledgeOutboxLines,
  leaseOutboxLines,
  returnLease,
  returnOutboxLines,
  type LeasedLine,
  type OutboxLine,
} from '../store/outbox.ts';
import type { TemporalIdentity } from './counterpart.ts';
import { createFairTurns } from './fair-turns.ts';
import type { Gateway, GatewayAnswer } from './gateway.ts';

export interface Outbox {
  /**
   * Sends a run's lines, or the one that was leased as it was written; true when Temporal has taken
   * them, false after `SEND_WITHIN_MS`.
   */
  readonly send: (runId: string, line?: LeasedLine) => Promise<boolean>;
  /** Looks for lines of any run now. */
  readonly nudge: () => void;
  readonly stop: () => Promise<void>;
}

export interface OutboxDeps {
  readonly store: Store;
  readonly gateway: Pick<Gateway, 'start' | 'wake' | 'cancel' | 'delete'>;
  /** Temporal is the one that the record belongs to, or its check rejects: nothing is sent to another. */
  readonly identity: TemporalIdentity;
  /** A run whose workflow is not there: it is to be compared with its record. */
  readonly onGone: (runId: string) => void;
  readonly log: { warn: (o: object, m: string) => void };
  /** Calls back when there may be lines that no process sends; returns what ends it. */
  readonly onDue: (look: () => void) => () => void;
}

/**
 * The contract's 3 s for a start or a vote that Temporal has not taken, less what the answer takes.
 */
const SEND_WITHIN_MS = 2800;
const LINES_AT_ONCE = 50;
/**
 * Starts that a process sends at once; the others wait in turns of their orgs, or a start of a quiet
 * org would wait behind all that a loud one has asked for. Each takes some tens of milliseconds.
 */
const STARTS_AT_ONCE = 16;
/** Its caller has been answered by then, and its lease soon ends: any process sends it later. */
const TURN_WITHIN_MS = SEND_WITHIN_MS;
/**
 * A start is acknowledged by the run's first transaction where a worker is there; by its sender
 * after so long. Until then no other process sends a later line of the run.
 */
const ACKNOWLEDGE_AFTER_MS = 1000;

type Sendable = Pick<OutboxLine, 'runId' | 'message'>;

const idsOf = (lines: readonly OutboxLine[]): readonly number[] => lines.map((line) => line.id);

export function createOutbox({ store, gateway, identity, onGone, log, onDue }: OutboxDeps): Outbox {
  const underWay = new Set<Promise<unknown>>();
  /** Leases whose reply was lost: no other process takes their lines before they end. */
  const lostLeases: string[] = [];
  /** Leases of what Temporal has taken. */
  let sentLeases: string[] = [];
  let acknowledging: NodeJS.Timeout | undefined;
  let stopped = false;
  let looking = false;
  let again = false;
  const starts = createFairTurns(STARTS_AT_ONCE);

  function callGateway(line: Sendable): Promise<GatewayAnswer> {
    const { message } = line;
    switch (message.kind) {
      case 'START':
        return gateway.start(message.input, message.asked);
      case 'SIGNAL':
        return gateway.wake(line.runId, { pauseId: message.pauseId, calls: message.calls ?? [] });
      case 'CANCEL':
        return gateway.cancel(line.runId);
      case 'DELETE':
        return gateway.delete(line.runId);
      default:
        return assertNever(message);
    }
  }

  /** True if the server took it. */
  async function sendLine(line: Sendable): Promise<boolean> {
    if (line.message.kind !== 'START') return sendNow(line);
    const asked = performance.now();
    const done = await starts.take(line.message.input.orgId);
    try {
      return performance.now() - asked < TURN_WITHIN_MS && (await sendNow(line));
    } finally {
      done();
    }
  }

  async function sendNow(line: Sendable): Promise<boolean> {
    try {
      await identity.check();
      const answer = await callGateway(line);
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

  /**
   * Sends until nothing is left, `onTaken` after each round; false where something was not taken.
   */
  async function sendAll(
    runId: string | null,
    onTaken: () => void = () => undefined,
  ): Promise<boolean> {
    let taken: readonly OutboxLine[] = [];
    for (;;) {
      const lease = (runId === null ? lostLeases.pop() : undefined) ?? randomUUID();
      const leases = sentLeases;
      const lines = await store
        .asReconciler(async (tx) => {
          if (taken.length > 0) await acknowledgeOutboxLines(tx, idsOf(taken));
          // A later line of one of these runs is leased only once they are acknowledged.
          if (leases.length > 0) await acknowledgeLeases(tx, leases);
          // A process that stops leaves what it has not begun to the others.
          return stopped && runId === null ? [] : leaseOutboxLines(tx, runId, LINES_AT_ONCE, lease);
        })
        .catch((error: unknown) => {
          lostLeases.push(lease);
          throw error;
        });
      sentLeases = sentLeases.filter((one) => !leases.includes(one));
      if (lines.length === 0) return true;
      const results = await Promise.all(lines.map(sendLine));
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

  async function acknowledgeSent(): Promise<void> {
    clearTimeout(acknowledging);
    acknowledging = undefined;
    const leases = sentLeases;
    sentLeases = [];
    if (leases.length === 0) return;
    // Where the database is away the leases end, and the lines are said once more.
    await store.asReconciler((tx) => acknowledgeLeases(tx, leases)).catch(() => undefined);
  }

  async function sendLeased(runId: string, { lease, message }: LeasedLine): Promise<boolean> {
    if (await sendLine({ runId, message })) {
      sentLeases.push(lease);
      acknowledging ??= setTimeout(() => void track(acknowledgeSent()), ACKNOWLEDGE_AFTER_MS);
      return true;
    }
    await store.asReconciler((tx) => returnLease(tx, lease));
    return false;
  }

  const track = <T>(work: Promise<T>): Promise<T> => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work)).catch(() => undefined);
    return work;
  };

  async function look(): Promise<void> {
    if (looking || stopped) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        await sendAll(null);
      } while (again && !stopped);
    } catch {
      // The database is away: the next look tries again.
    } finally {
      looking = false;
    }
  }
  const unlisten = onDue(() => void track(look()));

  return {
    send: (runId, line) => {
      // The caller need not wait for the acknowledgement: a line that is sent twice changes nothing.
      const taken = new Promise<boolean>((resolve) => {
        const sending =
          line === undefined ? sendAll(runId, () => resolve(true)) : sendLeased(runId, line);
        void track(sending)
          .catch(() => false)
          .then(resolve);
      });
      return withDeadline(taken, SEND_WITHIN_MS, () => false);
    },
    nudge: () => void track(look()),
    stop: async () => {
      stopped = true;
      unlisten();
      await Promise.allSettled(underWay);
      await acknowledgeSent();
    },
  };
}
