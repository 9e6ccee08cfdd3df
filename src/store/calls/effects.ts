// One effect of a name in an org: the call that comes first has it, others are told so before
// anybody is asked about them, or wait while it is not known what became of the first. A call that
// surely did nothing gives the name back.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import { isTerminal, type RunStatus } from '../../contract/names.ts';
import { sha256Hex } from '../../json/canonical.ts';
import { effectKey } from '../../policy/effect-key.ts';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { CallState } from '../queries/call-record.ts';
import type { LockedRun } from '../runs/runs.ts';
import type { StoredCall } from '../turns/replies.ts';

export type Effect =
  | { readonly kind: 'OURS' }
  /** The first call is under way, or nobody knows what became of it. */
  | { readonly kind: 'WAITS' }
  | { readonly kind: 'TOLD'; readonly result: string };

interface Asking {
  readonly callId: string;
  /** Canonical JSON. */
  readonly arguments: string;
}

/** Under a lock on the name. `beside`: calls of the same turn, which are not written yet. */
export async function takeEffect(
  tx: StoreTransaction,
  run: LockedRun,
  template: string,
  call: Asking,
  beside: readonly StoredCall[] = [],
): Promise<Effect> {
  const key = effectKey(template, JSON.parse(call.arguments) as Record<string, unknown>);
  const hash = sha256Hex(key);
  const made = await sql`
    insert into effects (org_id, key_hash, key, call_id, run_id)
    values (${run.orgId}, ${hash}, ${key}, ${call.callId}, ${run.runId}) on conflict do nothing returning 1`.execute(
    tx.db,
  );
  // Of arguments that an approver has changed since: the name is another.
  tx.write(sql`delete from effects where call_id = ${call.callId} and key_hash <> ${hash}`);
  if (made.rows.length > 0) return ours(tx, run, key, call);
  const found = await readHolder(tx, run.orgId, hash);
  const holder = found && (unwritten(found, beside) ?? found);
  if (holder === undefined) return { kind: 'WAITS' };
  if (holder.callId === call.callId) return { kind: 'OURS' };
  if (didNothing(holder)) {
    tx.write(sql`update effects set call_id = ${call.callId}, run_id = ${run.runId}, at = clock_timestamp()
      where org_id = ${run.orgId} and key_hash = ${hash}`);
    return ours(tx, run, key, call);
  }
  if (isOpen(holder)) return { kind: 'WAITS' };
  return { kind: 'TOLD', result: toldOf(key, holder) };
}

function ours(tx: StoreTransaction, run: LockedRun, key: string, { callId }: Asking): Effect {
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'effect.taken',
    data: { callId, key: key.slice(0, 500) },
  });
  return { kind: 'OURS' };
}

interface Holder {
  readonly callId: string;
  readonly runId: string;
  /** null: its run was deleted. What it did is not known, so it is taken as done. */
  readonly state: CallState | null;
  readonly asked: boolean;
  readonly status: RunStatus | null;
}

async function readHolder(
  tx: StoreTransaction,
  orgId: string,
  hash: string,
): Promise<Holder | undefined> {
  await sql`select 1 from effects where org_id = ${orgId} and key_hash = ${hash} for no key update`.execute(
    tx.db,
  );
  const { rows } = await sql<Holder>`
    select e.call_id as "callId", e.run_id as "runId", c.state, r.status,
      coalesce(c.approval = 'required' and not c.grant_seen, false) as asked
    from effects e left join calls c using (call_id) left join runs r on r.run_id = c.run_id
    where e.org_id = ${orgId} and e.key_hash = ${hash}`.execute(tx.db);
  return rows[0];
}

/** The holder as it will be, where this transaction is about to write it. */
function unwritten(found: Holder, beside: readonly StoredCall[]): Holder | undefined {
  const call = beside.find(({ callId }) => callId === found.callId);
  if (call === undefined || found.state !== null) return undefined;
  const asked = call.approval === 'required' && call.grantSeen !== true;
  return { ...found, state: 'PROPOSED', status: 'RUNNING', asked };
}

/** Rejected, refused, closed with its run, or answered with an error. */
const didNothing = ({ state }: Holder): boolean =>
  state === 'REJECTED' || state === 'FAILED' || state === 'CLOSED';

/** It will be settled without anybody's doing, or by a person who is asked about it. */
function isOpen({ state, status, asked }: Holder): boolean {
  if (status === null || isTerminal(status)) return false;
  if (state === 'PROPOSED') return !asked;
  return state === 'APPROVED' || state === 'DISPATCHING' || state === 'UNKNOWN';
}

function toldOf(key: string, { runId, state }: Holder): string {
  const first = `"${key.slice(0, 200)}" is done once, and the run ${runId} has asked for it first`;
  return `This call was not run: ${first}: ${outcomeOf(state)}. Do not ask for it again.`;
}

function outcomeOf(state: CallState | null): string {
  if (state === 'SUCCEEDED') return 'it was done there';
  if (state === 'PROPOSED') return 'people are asked about it there';
  if (state === null) return 'its record is deleted, so it counts as done';
  return 'it is not known whether it was done there';
}

/** The calls of a new turn: those that another call has come before with their refusal. */
export async function takeEffects(
  tx: StoreTransaction,
  run: LockedRun,
  agent: Pick<AgentSnapshot, 'tools'>,
  calls: readonly StoredCall[],
): Promise<readonly StoredCall[]> {
  const templates = new Map(
    agent.tools.flatMap(({ name, effectKey: template }) =>
      template === undefined ? [] : [[name, template] as const],
    ),
  );
  if (templates.size === 0) return calls;
  const taken: StoredCall[] = [];
  for (const call of calls) {
    const template = call.refusal === null ? templates.get(call.name) : undefined;
    const effect =
      template === undefined ? undefined : await takeEffect(tx, run, template, call, taken);
    taken.push(
      effect?.kind === 'TOLD'
        ? { ...call, refusal: effect.result }
        : // Claimed before anybody is asked: by then it may be known what became of the first.
          { ...call, ...(effect?.kind === 'WAITS' ? { grantSeen: true } : {}) },
    );
  }
  return taken;
}

/** At the claim: undefined where nothing keeps the call. */
export async function keptByEffect(
  tx: StoreTransaction,
  run: LockedRun,
  tool: Pick<ToolSnapshot, 'effectKey'>,
  call: Asking,
): Promise<Exclude<Effect, { kind: 'OURS' }> | undefined> {
  if (tool.effectKey === undefined) return undefined;
  const effect = await takeEffect(tx, run, tool.effectKey, call);
  return effect.kind === 'OURS' ? undefined : effect;
}
