// A no stays a no: a guarded call of a tool with the very arguments that were rejected in this run
// before, by people or by expiry, is answered without asking anybody again. How often one is asked
// about the same is the agent's `approvals.askAgain`.

import { sql } from 'kysely';
import type { AskAgain } from '../../contract/agent.ts';
import { assertNever, EXPIRY } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { StoredCall } from '../turns/replies.ts';

interface Rejection {
  readonly name: string;
  /** Canonical JSON. */
  readonly arguments: string;
  readonly by: readonly string[];
  readonly reason: string | null;
  /** How often the same call was rejected; this is the last time. */
  readonly times: number;
}

/** The calls of a new turn, those that were rejected before with their refusal. */
export async function refuseRejectedBefore(
  tx: StoreTransaction,
  runId: string,
  calls: readonly StoredCall[],
  askAgain: AskAgain,
): Promise<readonly StoredCall[]> {
  const most = timesAsked(askAgain);
  // What a rule lets through may have been asked about, and rejected, earlier in the run.
  const asked = calls.filter(
    (call) => (call.approval === 'required' || call.rules != null) && call.refusal === null,
  );
  if (most === null || asked.length === 0) return calls;
  const { rows } = await sql<Rejection>`
    select distinct on (c.name, c.arguments) c.name, c.arguments, d.deciders as by, d.reason,
      (count(*) over (partition by c.name, c.arguments))::int as times
    from calls c join decisions d on d.call_id = c.call_id and d.pause_id = c.decided_pause_id
    where c.run_id = ${runId} and c.state = 'REJECTED' and d.action = 'REJECT' and c.name = any(${asked.map((call) => call.name)})
    order by c.name, c.arguments, d.at desc`.execute(tx.db);
  return calls.map((call) => {
    const before = asked.includes(call)
      ? rows.find((row) => row.name === call.name && row.arguments === call.arguments)
      : undefined;
    return before === undefined || before.times < most
      ? call
      : { ...call, refusal: refusalOf(before) };
  });
}

/** How often people are asked about one and the same call; null: each time. */
function timesAsked(askAgain: AskAgain): number | null {
  switch (askAgain) {
    case 'never':
      return 1;
    case 'once':
      return 2;
    case 'always':
      return null;
    default:
      return assertNever(askAgain);
  }
}

/** The same words each time, so that a model that insists is seen to repeat itself. */
const refusalOf = ({ by, reason }: Rejection): string =>
  by[0] === EXPIRY
    ? 'This call was not run: the same call has expired before, since nobody approved it in time. Do not ask for it again.'
    : `This call was not run: the same call was rejected before by ${by.join(', ')}${reason === null || reason === '' ? '.' : `: ${reason}`} Do not ask for it again.`;
