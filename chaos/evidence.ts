// The database as it stands at the end, read past every proxy: what the checks compare with the
// sink's file and the clients' history.

import pg from 'pg';
import { groupBy } from './group-by.ts';

export interface RunRow {
  readonly run_id: string;
  readonly org_id: string;
  readonly user_id: string;
  readonly session_id: string;
  readonly session_seq: number;
  readonly status: string;
  readonly input: string;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly created_ms: number;
  readonly closed_ms: number | null;
  readonly event_seq: number;
}
export interface EventRow {
  readonly run_id: string;
  readonly seq: number;
  readonly kind: string;
  readonly at_ms: number;
}
export interface CallRow {
  readonly call_id: string;
  readonly run_id: string;
  readonly org_id: string;
  readonly name: string;
  readonly tool_version: string;
  readonly arguments: string;
  readonly state: string;
  readonly approval: string;
  readonly dispatch_n: number;
  readonly result: string | null;
  readonly evidence: string | null;
}
export interface PauseRow {
  readonly pause_id: string;
  readonly run_id: string;
  readonly kind: string;
  readonly opened_ms: number;
  readonly closed_ms: number | null;
}
export interface VoteRow {
  readonly pause_id: string;
  readonly call_id: string;
  readonly person: string;
  readonly action: string;
  readonly at_ms: number;
}
export interface DecisionRow {
  readonly call_id: string;
  readonly pause_id: string;
  readonly kind: string;
  readonly action: string;
  readonly arguments_hash: string;
  readonly at_ms: number;
}
export interface AuditRow {
  readonly id: number;
  readonly run_id: string;
  readonly action: string;
  readonly call_id: string | null;
  readonly hash: string | null;
  readonly at_ms: number;
}
export interface Evidence {
  readonly runs: readonly RunRow[];
  readonly events: ReadonlyMap<string, readonly EventRow[]>;
  readonly calls: ReadonlyMap<string, CallRow>;
  readonly decisions: ReadonlyMap<string, readonly DecisionRow[]>;
  readonly audit: ReadonlyMap<string, readonly AuditRow[]>;
  /** By pause. */
  readonly votes: ReadonlyMap<string, readonly VoteRow[]>;
  /** By run, in their order. */
  readonly pauses: ReadonlyMap<string, readonly PauseRow[]>;
}

export async function readEvidence(url: string): Promise<Evidence> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;
  const all = async <T>(text: string): Promise<T[]> => (await client.query(text)).rows as T[];
  try {
    const runs =
      await all<RunRow>(`select run_id, org_id, user_id, session_id, session_seq::int, status, input, error_code, error_message,
      event_seq::int, ${ms('created_at')} created_ms, ${ms('closed_at')} closed_ms from runs order by session_seq`);
    const events = await all<EventRow>(
      `select run_id, seq::int, kind, ${ms('at')} at_ms from events order by run_id, seq`,
    );
    const calls = await all<CallRow>(
      'select call_id, run_id, org_id, name, tool_version, arguments, state, approval, dispatch_n, result, evidence from calls',
    );
    const decisions =
      await all<DecisionRow>(`select d.call_id, d.pause_id, p.kind, d.action, d.arguments_hash, ${ms('d.at')} at_ms
      from decisions d join pauses p using (pause_id) order by d.at`);
    const audit =
      await all<AuditRow>(`select id::int, run_id, action, data->>'callId' call_id, data->>'hash' hash, ${ms('at')} at_ms
      from audit where run_id is not null order by id`);
    const votes = await all<VoteRow>(
      `select pause_id, call_id, person, action, ${ms('at')} at_ms from votes`,
    );
    const pauses = await all<PauseRow>(
      `select pause_id, run_id, kind, ${ms('opened_at')} opened_ms, ${ms('closed_at')} closed_ms from pauses order by opened_at`,
    );
    return {
      runs,
      events: groupBy(events, (row) => row.run_id),
      calls: new Map(calls.map((row) => [row.call_id, row])),
      decisions: groupBy(decisions, (row) => row.call_id),
      audit: groupBy(audit, (row) => row.run_id),
      votes: groupBy(votes, (row) => row.pause_id),
      pauses: groupBy(pauses, (row) => row.run_id),
    };
  } finally {
    await client.end();
  }
}
