// What keeps a long activity alive and lets it be stopped: Temporal's heartbeat, the store's beat
// (active time of an attempt that dies), its deadline, and two sources of a cancellation: the
// run's watch, within milliseconds, and Temporal's, with a heartbeat's reply.

import { Context } from '@temporalio/activity';
import { isTerminal } from '../contract/names.ts';
import type { Store } from '../store/database/access.ts';
import { statusOf } from '../store/runs/open-runs.ts';
import { beatAttempt } from '../store/turns/attempts.ts';

export const HEARTBEAT_EVERY_MS = 500;
const STORE_BEAT_EVERY_MS = 2000;

export type StopReason = 'TIME_OVER' | 'RUN_ENDED' | 'CANCELLED';

export interface Heartbeat {
  readonly signal: AbortSignal;
  /** Why `signal` was aborted. */
  readonly reason: () => StopReason | undefined;
  /** Goes to Temporal with the next beat. */
  readonly progress: (done: number, total: number | undefined) => void;
}

export async function withHeartbeat<T>(
  store: Store,
  at: { runId: string; attemptId: string; leftMs: number; stop?: AbortSignal },
  work: (heartbeat: Heartbeat) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const controller = new AbortController();
  let reason: StopReason | undefined;
  const stop = (why: StopReason): void => {
    reason ??= why;
    controller.abort(new Error(why));
  };
  const onCancel = (): void => stop('CANCELLED');
  const signals = [context.cancellationSignal, ...(at.stop === undefined ? [] : [at.stop])];
  for (const signal of signals) signal.addEventListener('abort', onCancel, { once: true });
  if (signals.some((signal) => signal.aborted)) onCancel();

  let details: { readonly done: number; readonly total?: number } | undefined;
  const progress = (done: number, total: number | undefined): void => {
    details = { done, ...(total === undefined ? {} : { total }) };
  };
  // A local activity has none: its workflow task's timeout is what a worker's death is noticed by.
  const heart = context.info.isLocal
    ? undefined
    : setInterval(() => context.heartbeat(details), HEARTBEAT_EVERY_MS);
  const beat = setInterval(
    () => void store.asWorker((tx) => beatAttempt(tx, at.attemptId)).catch(() => undefined),
    STORE_BEAT_EVERY_MS,
  );
  const deadline = setTimeout(() => stop('TIME_OVER'), at.leftMs);
  const done = new AbortController();
  void followRun(store, at.runId, done.signal, () => stop('RUN_ENDED'));
  try {
    return await work({ signal: controller.signal, reason: () => reason, progress });
  } finally {
    clearInterval(heart);
    clearInterval(beat);
    clearTimeout(deadline);
    done.abort();
    for (const signal of signals) signal.removeEventListener('abort', onCancel);
  }
}

async function followRun(
  store: Store,
  runId: string,
  done: AbortSignal,
  onEnded: () => void,
): Promise<void> {
  const watch = store.announcer.watch(runId);
  try {
    for (;;) {
      await watch.changed(done);
      if (done.aborted) return;
      const status = await store.asWorker((tx) => statusOf(tx, runId));
      if (status === undefined || isTerminal(status)) return onEnded();
    }
  } catch {
    // The database is away: Temporal's cancellation is the other way.
  } finally {
    watch.close();
  }
}
