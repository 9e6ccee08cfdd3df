// Calls of one tool of an agent that are kept, with what people made of them.

import { sql } from 'kysely';
import { EXPIRY } from '../../contract/names.ts';
import type { KeptCall } from '../../policy/backtest.ts';
import type { StoreTransaction } from '../database/access.ts';

export interface KeptCallsWanted {
  readonly orgId: string;
  readonly agentId: string;
  readonly tool: string;
  readonly from: Date;
  readonly to: Date;
}

type KeptRow = Omit<KeptCall, 'args'> & { readonly text: string };

/**
 * By run and call order, at most `limit`. Calls that were refused for another reason than a rule
 * (arguments outside the schema) are not among them.
 */
export async function readKeptCalls(
  tx: StoreTransaction,
  { orgId, agentId, tool, from, to }: KeptCallsWanted,
  limit: number,
): Promise<readonly KeptCall[]> {
  const { rows } = await sql<KeptRow>`
    select c.call_id as "callId", c.run_id as "runId", coalesce(c.proposed_arguments, c.arguments) as text,
      case when k.refused then 'refuse' else c.approval end as was,
      exists (select 1 from decisions d join pauses p on p.pause_id = d.pause_id
        where d.call_id = c.call_id and d.action = 'REJECT' and p.kind = 'APPROVAL'
          and d.deciders <> ${JSON.stringify([EXPIRY])}::jsonb) as "rejectedByPeople",
      c.proposed_arguments is not null as "editedByPeople",
      c.state <> 'REJECTED' and not k.unsent as counts, r.user_id as "userId", r.user_roles as roles
    from runs r join calls c using (run_id), lateral (select
      c.state = 'FAILED' and c.dispatch_n = 0 as unsent,
      c.state = 'FAILED' and c.dispatch_n = 0 and coalesce(jsonb_path_exists(c.rules, '$[*] ? (@.then == "refuse" && !exists(@.shadow))'), false) as refused) k
    where r.org_id = ${orgId} and r.agent_id = ${agentId} and r.created_at >= ${from} and r.created_at < ${to}
      and c.name = ${tool} and (k.refused or not k.unsent)
    order by r.created_at, r.run_id, c.turn, c.idx limit ${limit}`.execute(tx.db);
  return rows.map(({ text, ...row }) => ({
    ...row,
    args: JSON.parse(text) as KeptCall['args'],
  }));
}
