// The calls of a run that is taken up again. What was done, rejected or left by a person stays so;
// what the run's end closed is open as it was, and what may have happened is unknown, to be asked
// about.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { appendEvents } from '../events/events.ts';
import type { LockedRun } from '../runs/runs.ts';

/**
 * An approval that was given holds while its call is what was approved; else people are asked once
 * more. A call that only reads has no effect that anybody needs to be asked about.
 */
export async function reopenCalls(tx: StoreTransaction, run: LockedRun): Promise<void> {
  await sql`
    update calls c set
      state = case when b.unknown then 'UNKNOWN' when b.approved then 'APPROVED' else 'PROPOSED' end,
      unanswered = case when b.unknown then c.unanswered else 0 end,
      result = case when b.unknown
        then coalesce(c.result, 'It is not known whether this call happened' || coalesce(': ' || c.evidence, '') || '.') end
    from (
      select o.call_id, o.state = 'LEFT' and o.retry <> 'readOnly' as unknown,
        coalesce(o.approval = 'required' and d.action = 'APPROVE' and d.arguments_hash = o.arguments_hash, false) as approved
      from calls o left join decisions d on d.call_id = o.call_id and d.pause_id = o.decided_pause_id
      where o.run_id = ${run.runId} and (o.state = 'CLOSED' or (o.state = 'LEFT' and d.action is distinct from 'REJECT'))
    ) b where c.call_id = b.call_id`.execute(tx.db);
  await appendLateOutcomes(tx, run);
}

/** Outcomes that came after the end were no events: readers of the record are told them now. */
async function appendLateOutcomes(tx: StoreTransaction, { runId }: LockedRun): Promise<void> {
  const { rows } = await sql<{
    callId: string;
    name: string;
    turn: number;
    result: string;
    isError: boolean;
  }>`
    select c.call_id as "callId", c.name, c.turn, coalesce(c.result, '') as result, c.state = 'FAILED' as "isError"
    from calls c where c.run_id = ${runId} and c.state in ('SUCCEEDED', 'FAILED')
      and exists (select 1 from events e where e.run_id = c.run_id and e.kind = 'TOOL_START' and e.data->>'callId' = c.call_id)
      and not exists (select 1 from events e where e.run_id = c.run_id and e.kind = 'TOOL_END' and e.data->>'callId' = c.call_id)
    order by c.turn, c.idx`.execute(tx.db);
  appendEvents(
    tx,
    runId,
    rows.map(({ turn, ...data }) => ({ kind: 'TOOL_END', turn, data })),
  );
}
