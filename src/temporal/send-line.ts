// Says one outbox line to Temporal, if it is the one that the record belongs to. Starts go in turns
// of their orgs.

import { assertNever } from '../contract/names.ts';
import type { OutboxLine } from '../store/outbox.ts';
import type { TemporalIdentity } from './counterpart.ts';
import { createFairTurns } from './fair-turns.ts';
import type { Gateway, GatewayAnswer } from './gateway.ts';

export type Sendable = Pick<OutboxLine, 'runId' | 'message'>;

/** True if the server took it, or can't any more. */
export type SendLine = (line: Sendable) => Promise<boolean>;

export interface LineSenderDeps {
  readonly gateway: Pick<Gateway, 'start' | 'wake' | 'cancel' | 'delete'>;
  /** Temporal is the one that the record belongs to, or its check rejects: nothing is sent to another. */
  readonly identity: TemporalIdentity;
  /** A run whose workflow is not there: it is to be compared with its record. */
  readonly onGone: (runId: string) => void;
  readonly log: { warn: (o: object, m: string) => void };
}

/**
 * The contract's 3 s for a start or a vote that Temporal has not taken, less what the answer takes.
 */
export const SEND_WITHIN_MS = 2800;
/**
 * Starts that a process sends at once; the others wait in turns of their orgs, or a start of a quiet
 * org would wait behind all that a loud one has asked for. Each takes some tens of milliseconds.
 */
const STARTS_AT_ONCE = 16;
/** Its caller has been answered by then, and its lease soon ends: any process sends it later. */
const TURN_WITHIN_MS = SEND_WITHIN_MS;

export function createSendLine(deps: LineSenderDeps): SendLine {
  const starts = createFairTurns(STARTS_AT_ONCE);
  return async function sendLine(line) {
    if (line.message.kind !== 'START') return sendNow(deps, line);
    const asked = performance.now();
    const done = await starts.take(line.message.input.orgId);
    try {
      return performance.now() - asked < TURN_WITHIN_MS && (await sendNow(deps, line));
    } finally {
      done();
    }
  };
}

async function sendNow(
  { gateway, identity, onGone, log }: LineSenderDeps,
  line: Sendable,
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
  gateway: LineSenderDeps['gateway'],
  { runId, message }: Sendable,
): Promise<GatewayAnswer> {
  switch (message.kind) {
    case 'START':
      return gateway.start(message.input, message.asked);
    case 'SIGNAL':
      return gateway.wake(runId, { pauseId: message.pauseId, calls: message.calls ?? [] });
    case 'CANCEL':
      return gateway.cancel(runId);
    case 'DELETE':
      return gateway.delete(runId);
    default:
      return assertNever(message);
  }
}
