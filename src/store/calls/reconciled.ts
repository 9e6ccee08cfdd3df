// An unknown outcome that its receiver was asked about, before people are: settled where it has said
// so clearly, else left to them with what was said.

import { sql } from 'kysely';
import type { ToolSnapshot } from '../../contract/agent.ts';
import type { ReceiverSays } from '../../tools/ask-receiver.ts';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { endedAs } from '../runs/runs.ts';
import { lockRunAndCall } from './call-row.ts';
import { finish, MAX_UNANSWERED, type Recorded } from './outcomes.ts';

export interface UnknownCall {
  readonly tool: ToolSnapshot;
  /** Canonical JSON. */
  readonly arguments: string;
}

/** undefined: nobody can be asked, or its outcome is known. */
export async function readUnknownCall(
  tx: StoreTransaction,
  runId: string,
  callId: string,
): Promise<UnknownCall | undefined> {
  const { rows } = await sql<UnknownCall & { tool: ToolSnapshot | null }>`
    select c.arguments, (select d from jsonb_array_elements(s.body->'tools') d where d->>'name' = c.name) as tool
    from calls c join runs r using (run_id) join agent_snapshots s using (revision)
    where c.call_id = ${callId} and c.run_id = ${runId} and c.state = 'UNKNOWN' and c.pause_id is null`.execute(
    tx.db,
  );
  const [row] = rows;
  return row?.tool?.reconcile === undefined ? undefined : row;
}

export async function settleUnknown(
  tx: StoreTransaction,
  runId: string,
  callId: string,
  says: ReceiverSays,
): Promise<Recorded> {
  const [run, row] = await lockRunAndCall(tx, runId, callId);
  if (run === undefined || row === undefined) return { kind: 'UNKNOWN' };
  if (row.state === 'SUCCEEDED' || row.state === 'FAILED')
    return { kind: 'DONE', result: row.result ?? '' };
  // This very transaction, played again, has handed it back.
  if (row.state === 'APPROVED' || row.state === 'PROPOSED') return { kind: 'AGAIN' };
  if (row.state !== 'UNKNOWN' || endedAs(run) !== undefined) return { kind: 'UNKNOWN' };
  const words = `its receiver was asked: ${wordsOf(says)}`;
  tx.write(sql`update calls set evidence = coalesce(evidence || '; ', '') || ${words}
    where call_id = ${callId} and strpos(coalesce(evidence, ''), ${words}) = 0`);
  audit(tx, {
    orgId: run.orgId,
    runId,
    actor: 'holdpoint',
    action: 'call.reconciled',
    data: { callId, n: row.dispatch_n, says: says.kind },
  });
  if (says.kind === 'DONE') {
    finish(tx, run, callId, row, { state: 'SUCCEEDED', result: says.result });
    return { kind: 'DONE', result: says.result };
  }
  // A receiver that says so again and again is not believed for ever.
  if (says.kind === 'NOT_DONE' && row.unanswered < MAX_UNANSWERED) {
    const back = row.approval === 'required' ? 'APPROVED' : 'PROPOSED';
    tx.write(sql`update calls set state = ${back}, result = null where call_id = ${callId}`);
    return { kind: 'AGAIN' };
  }
  tx.announce(runId, 'EVENTS');
  return { kind: 'UNKNOWN' };
}

function wordsOf(says: ReceiverSays): string {
  switch (says.kind) {
    case 'DONE':
      return 'done';
    case 'NOT_DONE':
      return 'not done';
    case 'UNKNOWN':
      return 'it does not know';
    case 'NO_ANSWER':
      return `no answer, ${says.why}`;
  }
}
