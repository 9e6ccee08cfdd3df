// What came of a dispatch, recorded once: an answer, nothing sent, or no answer, which is repeated
// where that is harmless and asked about where it is not.

import { sql } from 'kysely';
import type { Citation } from '../../contract/citation.ts';
import type { StoreTransaction } from '../database/access.ts';
import { audit, auditOnce } from '../audit.ts';
import { appendEvents } from '../events/events.ts';
import { endedAs, type LockedRun } from '../runs/runs.ts';
import { attachToCall, type KeptMedia } from '../runs/media.ts';
import { lockRunAndCall, type CallRow } from './call-row.ts';

/** Deliveries of one call that were not answered, before it is given up. */
export const MAX_UNANSWERED = 3;

export type Recorded =
  | { readonly kind: 'DONE'; readonly result: string }
  | { readonly kind: 'UNKNOWN' }
  | { readonly kind: 'AGAIN' };

export type CallEnd =
  | {
      readonly kind: 'ANSWERED';
      readonly result: string;
      readonly isError: boolean;
      readonly httpStatus?: number | undefined;
      /** Passages that the result holds. */
      readonly citations?: readonly Citation[] | undefined;
      /** Pictures and sound beside the text. */
      readonly media?: readonly KeptMedia[] | undefined;
    }
  /** Nothing went out, so it did not happen; may be tried again by the same rules as any start. */
  | { readonly kind: 'WITHDRAWN' }
  /** `httpStatus`: of a go-between, where one answered in place of the receiver. */
  | {
      readonly kind: 'UNANSWERED';
      readonly evidence: string;
      readonly httpStatus?: number | undefined;
    };

/**
 * The outcome of dispatch `n`, also after the run has ended. That of an older one, or after
 * UNKNOWN, is evidence only.
 */
export async function recordCall(
  tx: StoreTransaction,
  runId: string,
  callId: string,
  n: number,
  end: CallEnd,
): Promise<Recorded> {
  const [run, row] = await lockRunAndCall(tx, runId, callId);
  if (run === undefined || row === undefined) return { kind: 'UNKNOWN' };
  if (row.state !== 'DISPATCHING' || row.dispatch_n !== n)
    return overtaken(tx, run, callId, n, row, end);
  if (end.kind === 'ANSWERED') {
    await attachToCall(tx, { callId, runId, orgId: run.orgId }, end.media ?? []);
    finish(tx, run, callId, row, {
      state: end.isError ? 'FAILED' : 'SUCCEEDED',
      result: end.result,
      httpStatus: end.httpStatus,
      citations: end.citations,
    });
    return { kind: 'DONE', result: end.result };
  }
  if (end.kind === 'WITHDRAWN') {
    const back = endedAs(run) ? 'CLOSED' : row.approval === 'required' ? 'APPROVED' : 'PROPOSED';
    await sql`update calls set state = ${back} where call_id = ${callId}`.execute(tx.db);
    return { kind: 'AGAIN' };
  }
  return unanswered(tx, run, callId, row, end.evidence, end.httpStatus);
}

/**
 * What dispatch `n` came to is in the record already: this very transaction played again, or an
 * older dispatch. Nothing is asked of a person unless the record says that the outcome is unknown.
 */
async function overtaken(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  n: number,
  row: CallRow,
  end: CallEnd,
): Promise<Recorded> {
  if (row.state === 'SUCCEEDED' || row.state === 'FAILED')
    return { kind: 'DONE', result: row.result ?? '' };
  if (end.kind === 'ANSWERED') {
    await auditOnce(tx, {
      orgId: run.orgId,
      runId: run.runId,
      actor: 'holdpoint',
      action: 'call.late',
      data: { callId, n, isError: end.isError },
    });
    const late = `a late answer to attempt ${n} came: ${end.result.slice(0, 300)}`;
    if (row.state === 'UNKNOWN')
      await sql`update calls set evidence = coalesce(evidence || '; ', '') || ${late}
        where call_id = ${callId} and strpos(coalesce(evidence, ''), ${late}) = 0`.execute(tx.db);
    tx.announce(run.runId, 'EVENTS');
  }
  return row.state === 'UNKNOWN' || row.state === 'LEFT' ? { kind: 'UNKNOWN' } : { kind: 'AGAIN' };
}

/**
 * A delivery that was not answered. Repeated where that is harmless, three in all; else a person is
 * asked.
 */
export async function unanswered(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  evidence: string,
  httpStatus?: number,
): Promise<Recorded> {
  const count = row.unanswered + 1;
  if (row.retry !== 'never' && count < MAX_UNANSWERED && endedAs(run) === undefined) {
    const back = row.approval === 'required' ? 'APPROVED' : 'PROPOSED';
    await sql`update calls set state = ${back}, unanswered = ${count}, evidence = ${evidence}, http_status = ${httpStatus ?? null} where call_id = ${callId}`.execute(
      tx.db,
    );
    return { kind: 'AGAIN' };
  }
  if (row.retry === 'readOnly') {
    const result = `The tool gave no answer in ${count} attempts: ${evidence}.`;
    finish(tx, run, callId, row, { state: 'FAILED', result, httpStatus });
    return { kind: 'DONE', result };
  }
  const state = endedAs(run) === undefined ? 'UNKNOWN' : 'LEFT';
  await sql`update calls set state = ${state}, unanswered = ${count}, evidence = ${evidence}, http_status = ${httpStatus ?? null}, result = ${`It is not known whether this call happened: ${evidence}.`},
    duration_ms = extract(epoch from clock_timestamp() - dispatched_at) * 1000 where call_id = ${callId}`.execute(
    tx.db,
  );
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'call.unknown',
    data: { callId, evidence },
  });
  tx.announce(run.runId, 'EVENTS');
  return { kind: 'UNKNOWN' };
}

export function finish(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  end: {
    state: 'SUCCEEDED' | 'FAILED';
    result: string;
    text?: string;
    httpStatus?: number | undefined;
    citations?: readonly Citation[] | undefined;
  },
): void {
  const { citations = [] } = end;
  tx.write(sql`update calls set state = ${end.state}, result = ${end.result}, http_status = ${end.httpStatus ?? null}, arguments = ${end.text ?? row.arguments},
    citations = ${citations.length === 0 ? null : JSON.stringify(citations)}::jsonb,
    duration_ms = coalesce(extract(epoch from clock_timestamp() - dispatched_at) * 1000, 0) where call_id = ${callId}`);
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'call.finished',
    data: { callId, n: row.dispatch_n, state: end.state },
  });
  if (endedAs(run) === undefined)
    appendEvents(tx, run.runId, [
      {
        kind: 'TOOL_END',
        turn: row.turn,
        data: {
          callId,
          name: row.name,
          result: end.result,
          isError: end.state === 'FAILED',
          ...(citations.length === 0 ? {} : { citations }),
        },
      },
    ]);
  else tx.announce(run.runId, 'EVENTS');
}
