// How the whole record stands now, over all orgs, for whoever watches the service. Over open runs,
// open calls and unsent lines alone, each by its partial index: it costs what is open, not what is
// kept.

import { sql } from 'kysely';
import type { RunStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { OPEN } from '../runs/open-runs.ts';

export interface RecordStanding {
  readonly open: readonly {
    readonly agentId: string;
    readonly status: RunStatus;
    readonly runs: number;
    /** Of them those whose model is away. */
    readonly waitingForModel: number;
  }[];
  readonly openCalls: number;
  /** Of unknown outcome, waiting for people. */
  readonly unknownCalls: number;
  /** 0 where none waits. */
  readonly oldestCallSeconds: number;
  readonly unsentLines: number;
  readonly oldestLineSeconds: number;
}

export async function readRecordStanding(tx: StoreTransaction): Promise<RecordStanding> {
  const { rows: open } = await sql<RecordStanding['open'][number]>`
    select agent_id as "agentId", status, count(*) as runs, count(waiting) as "waitingForModel"
    from runs where status in ${OPEN} group by 1, 2`.execute(tx.db);
  const { rows } = await sql<Omit<RecordStanding, 'open'>>`
    select c.*, o.* from (
      select count(*) as "openCalls", count(*) filter (where state = 'UNKNOWN') as "unknownCalls",
        coalesce(extract(epoch from clock_timestamp() - min(requested_at)), 0)::float8 as "oldestCallSeconds"
      from calls where pause_id is not null) c, (
      select count(*) as "unsentLines",
        coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as "oldestLineSeconds"
      from outbox where acknowledged_at is null) o`.execute(tx.db);
  const [rest] = rows;
  if (rest === undefined) throw new Error('a look without an answer');
  return { open, ...rest };
}
