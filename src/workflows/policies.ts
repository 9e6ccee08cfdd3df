// Every timeout and retry of a run, each with the failure it is sized for.

import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';

/** A worker that died is noticed by the missing heartbeat: ten of the activity's 500 ms beats. */
const HEARTBEAT_TIMEOUT = '5 seconds';

/**
 * Model calls and tools. The limit on active time is the activity's own (it knows what the run has
 * used up, aborts the request and keeps what the provider reported); startToCloseTimeout only
 * catches an activity that is stuck beyond it. No maximumAttempts: a worker's death is not the
 * model's failure; the model's are counted by cause in the store, and the third is thrown
 * non-retryable.
 */
export const workOptions = (timeoutMs: number): ActivityOptions => ({
  startToCloseTimeout: timeoutMs + 30_000,
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'TRY_CANCEL',
  // A provider's hiccup is over in a second or two; longer waits come with Retry-After as
  // nextRetryDelay. A database outage backs off to 15 s.
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
});

/**
 * The extra call for follow-up questions: its own faults end it quietly, so what is retried here is
 * a worker's death or the database's absence, and a model that dawdles over an extra is not waited
 * for.
 */
export const extraOptions: ActivityOptions = {
  startToCloseTimeout: '90 seconds',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
};

/**
 * One transaction, tried once inside the workflow task: 2 s, since signals and cancels wait behind
 * it.
 */
export const transactionLocally: LocalActivityOptions = {
  scheduleToCloseTimeout: '2 seconds',
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 1 },
  cancellationType: 'ABANDON',
};

/**
 * The same where the database is away: without end, out of the workflow task, so that it holds no
 * slot and adds no events.
 */
export const transactionUntilDone: ActivityOptions = {
  startToCloseTimeout: '10 seconds',
  retry: {
    initialInterval: '500 milliseconds',
    backoffCoefficient: 2,
    maximumInterval: '10 seconds',
  },
  cancellationType: 'ABANDON',
};

/**
 * A tool call within the workflow task. It is handed over after half a second by itself; more than
 * two seconds and the worker itself is stuck.
 */
export const callInPlace: LocalActivityOptions = {
  scheduleToCloseTimeout: '2 seconds',
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 1 },
  cancellationType: 'TRY_CANCEL',
};

/**
 * Reading, splitting and embedding a document. An attempt goes on where the one before stopped, so
 * there is no limit of attempts: an embedding server that is away for a night is waited for. One
 * attempt ends by itself long before the six hours.
 */
export const documentOptions: ActivityOptions = {
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '10 seconds',
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
};

/**
 * One transaction of it: repeated until the database is there. A worker gives one up by itself after
 * eight seconds; later than that it has died, and a document waits to be found.
 */
export const documentTransaction: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  retry: {
    initialInterval: '500 milliseconds',
    backoffCoefficient: 2,
    maximumInterval: '10 seconds',
  },
};
