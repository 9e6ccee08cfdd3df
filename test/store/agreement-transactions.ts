// What makes the two records agree again, as test/store/played-twice.test.ts plays it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { forgetCounterpart, keepCounterpart } from '../../src/store/counterpart.ts';
import * as restored from '../../src/store/after-restore.ts';
import * as outbox from '../../src/store/outbox.ts';
import { cancelAgain } from '../../src/store/runs/continue-run.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { startAnew } from '../../src/store/runs/start-anew.ts';
import type { Row } from './transactions.ts';

export const AGREEMENT_ROWS: Readonly<Record<string, Row>> = {
  startAnew: {
    scenarios: {
      'a start that was lost': async (s, { store, db }) => {
        const { runId } = await s.start();
        await store.asReconciler(async (tx) => {
          const lines = await outbox.leaseOutboxLines(tx, runId, 10, randomUUID());
          await outbox.acknowledgeOutboxLines(
            tx,
            lines.map((line) => line.id),
          );
        });
        const { rows } = await sql<{ at: Date }>`
          select acknowledged_at as at from outbox where run_id = ${runId}`.execute(db.kysely);
        return { runId, work: (tx) => startAnew(tx, runId, rows[0]?.at ?? assert.fail()) };
      },
    },
  },
  acknowledgeLeases: {
    scenarios: {
      'a start that was leased as it was written': async (s) => {
        const { runId, lease } = await s.start({ lease: randomUUID() });
        return { runId, work: (tx) => outbox.acknowledgeLeases(tx, [lease ?? '']) };
      },
    },
  },
  returnLease: {
    scenarios: {
      'a start that was leased as it was written': async (s) => {
        const { runId, lease } = await s.start({ lease: randomUUID() });
        return { runId, work: (tx) => outbox.returnLease(tx, lease ?? '') };
      },
    },
  },
  cancelAgain: {
    scenarios: {
      'a cancelled run': async (s, { db }) => {
        const { runId } = await s.start();
        await s.cancel({ runId, orgId: 'acme' } as NewRun);
        await sql`update outbox set acknowledged_at = now() - interval '1 minute' where run_id = ${runId}`.execute(
          db.kysely,
        );
        return { runId, work: (tx) => cancelAgain(tx, runId) };
      },
    },
  },
  keepCounterpart: {
    scenarios: {
      'a first meeting': async (s) => {
        const { runId } = await s.start();
        const met = { clusterId: 'c', namespace: 'n', namespaceId: 'i' };
        return { runId, work: (tx) => keepCounterpart(tx, met) };
      },
    },
  },
  forgetCounterpart: {
    scenarios: {
      'one that is kept': async (s) => {
        const { runId } = await s.start();
        return { runId, work: forgetCounterpart };
      },
    },
  },
  withdrawStart: {
    scenarios: {
      'an unsent start': async (s) => {
        const { runId } = await s.start();
        return { runId, work: (tx) => outbox.withdrawStart(tx, runId) };
      },
    },
  },
  withdrawStarts: {
    scenarios: {
      'an unsent start': async (s) => {
        const { runId } = await s.start();
        return { runId, work: (tx) => restored.withdrawStarts(tx, runId) };
      },
    },
  },
};
