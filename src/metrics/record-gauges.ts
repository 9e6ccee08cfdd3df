// How the record stands, read when Prometheus asks. Every process reads the same database: a
// dashboard takes the maximum over processes, not the sum.

import { Gauge, type Registry } from 'prom-client';
import type { Store } from '../store/database/access.ts';
import { readRecordStanding, type RecordStanding } from '../store/queries/standing.ts';

/** Several scrapers, and one that is impatient, cost one look. */
const REMEMBERED_MS = 5000;

export interface RecordGauges {
  /** Brings the gauges up to date; leaves them empty where the database does not answer. */
  readonly look: () => Promise<void>;
}

export function createRecordGauges(store: Store, registry: Registry): RecordGauges {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `holdpoint_${name}`, help, labelNames, registers: [registry] });
  const open = gauge('runs_open', 'Open runs of the record, by agent and status.', [
    'agent',
    'status',
  ]);
  const away = gauge('runs_waiting_for_model', 'Open runs whose model is away, by agent.', [
    'agent',
  ]);
  const numbers: Readonly<Record<keyof Omit<RecordStanding, 'open'>, Gauge>> = {
    openCalls: gauge('approvals_open', 'Calls that wait for people.'),
    unknownCalls: gauge('approvals_unknown_outcome', 'Of them those that may have happened.'),
    oldestCallSeconds: gauge('approvals_oldest_seconds', 'Age of the call that waits longest.'),
    unsentLines: gauge('outbox_lines', 'Lines that Temporal has not taken yet.'),
    oldestLineSeconds: gauge('outbox_oldest_seconds', 'Age of the oldest of them.'),
  };
  const answers = gauge('database_up', '1: the database answered this look.');
  const pool = gauge('database_connections', 'Connections of the pool, and who waits for one.', [
    'state',
  ]);
  const byAgent = [open, away];

  async function read(): Promise<void> {
    for (const [state, count] of Object.entries(store.pool?.() ?? {})) pool.set({ state }, count);
    try {
      const standing = await store.asReconciler(readRecordStanding);
      for (const each of byAgent) each.reset();
      for (const { agentId: agent, status, runs, waitingForModel } of standing.open) {
        open.set({ agent, status }, runs);
        away.inc({ agent }, waitingForModel);
      }
      for (const name of Object.keys(numbers) as (keyof typeof numbers)[])
        numbers[name].set(standing[name]);
      answers.set(1);
    } catch {
      // An old figure would hide what is wrong.
      for (const each of byAgent) each.reset();
      for (const each of Object.values(numbers)) each.remove();
      answers.set(0);
    }
  }
  let readAt = -Infinity;
  let reading: Promise<void> = Promise.resolve();
  return {
    look: () => {
      if (performance.now() - readAt > REMEMBERED_MS) {
        readAt = performance.now();
        reading = read();
      }
      return reading;
    },
  };
}
