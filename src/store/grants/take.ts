// A use of a grant, taken in the transaction that dispatches the call, under the grant's lock: a
// burst of calls never uses more than it has. What was taken stays taken, whatever became of the call.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import { covers, type CallToCover, type GrantNow } from '../../policy/covers.ts';
import { audit } from '../audit.ts';
import type { CallPolicy } from '../calls/approved-tool.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { LockedRun } from '../runs/runs.ts';

/** A tool that differs in anything, its policy included, is another one. */
export const definitionOf = (tool: ToolSnapshot): string => sha256Hex(canonicalJson(tool));

export interface NearGrant {
  readonly grantId: string;
  readonly why: string;
}

type Agent = Pick<AgentSnapshot, 'id' | 'tools' | 'approvals'>;
interface CallInQuestion extends Pick<
  CallPolicy,
  'risk' | 'approvers' | 'approversAlso' | 'quorum'
> {
  readonly name: string;
  /** Canonical JSON. */
  readonly arguments: string;
}

function toCover(
  run: LockedRun,
  agent: Agent,
  tool: ToolSnapshot,
  call: CallInQuestion,
): CallToCover {
  return {
    args: JSON.parse(call.arguments) as Readonly<Record<string, unknown>>,
    input: tool.input,
    definition: definitionOf(tool),
    risk: call.risk,
    approvers: [
      ...(call.approvers === null ? [] : [call.approvers]),
      ...(call.approversAlso ?? []),
    ],
    quorum: call.quorum ?? agent.approvals.quorum,
    fourEyes: agent.approvals.fourEyes,
    userId: run.userId,
    startedBy: run.startedBy,
  };
}

type NamedGrant = GrantNow & { readonly tool: string };

/** Those on these tools that are not revoked, the one that ends first before the others. */
async function readGrants(
  tx: StoreTransaction,
  run: LockedRun,
  agent: Agent,
  tools: readonly string[],
  lock: boolean,
): Promise<readonly NamedGrant[]> {
  const { rows } = await sql<NamedGrant>`
    select g.grant_id as "grantId", g.tool, g.definition, g.condition, g.max_uses as "maxUses", g.uses, g.sum_field as "sumField",
      g.max_sum as "maxSum", g.used_sum as "usedSum", g.user_id as "userId", g.active_at is not null as active,
      g.expires_at <= clock_timestamp() as expired,
      (select coalesce(jsonb_agg(jsonb_build_object('person', p.person, 'roles', p.roles, 'service', p.service) order by p.at, p.person), '[]')
        from grant_givers p where p.grant_id = g.grant_id) as givers
    from grants g where g.org_id = ${run.orgId} and g.agent_id = ${agent.id} and g.tool = any(${tools}) and g.revoked_at is null
      and g.expires_at > clock_timestamp() - interval '1 day'
    order by g.expires_at, g.grant_id ${lock ? sql`for no key update of g` : sql``}`.execute(tx.db);
  return rows;
}

export interface Looked {
  /** A grant seems to cover it. */
  readonly seen: boolean;
  readonly near: readonly NearGrant[];
}

/** Without taking anything: for calls as they are proposed. By their place in `calls`. */
export async function lookAtGrants(
  tx: StoreTransaction,
  run: LockedRun,
  agent: Agent,
  calls: readonly CallInQuestion[],
): Promise<readonly Looked[]> {
  const names = [...new Set(calls.map((call) => call.name))];
  const grants = names.length === 0 ? [] : await readGrants(tx, run, agent, names, false);
  return calls.map((call) => {
    const tool = agent.tools.find((one) => one.name === call.name);
    if (tool === undefined || grants.length === 0) return { seen: false, near: [] };
    return lookedAt(
      grants.filter((grant) => grant.tool === call.name),
      toCover(run, agent, tool, call),
    );
  });
}

function lookedAt(grants: readonly GrantNow[], call: CallToCover): Looked {
  const each = grants.map((grant) => ({ grant, covered: covers(grant, call) }));
  return {
    seen: each.some(({ covered }) => covered.kind === 'COVERS'),
    near: each.flatMap(({ grant, covered }) =>
      covered.kind === 'NEARLY' ? [{ grantId: grant.grantId, why: covered.why }] : [],
    ),
  };
}

export interface CallToTake extends CallInQuestion {
  readonly callId: string;
  /** What is dispatched under it. */
  readonly hash: string;
}

export type Taken =
  { readonly kind: 'TAKEN' } | { readonly kind: 'NONE'; readonly near: readonly NearGrant[] };

export async function takeGrant(
  tx: StoreTransaction,
  run: LockedRun,
  agent: Agent,
  tool: ToolSnapshot,
  call: CallToTake,
): Promise<Taken> {
  const grants = await readGrants(tx, run, agent, [call.name], true);
  const wanted = toCover(run, agent, tool, call);
  const { rows: before } = await sql<{ grantId: string }>`
    select grant_id as "grantId" from grant_uses where call_id = ${call.callId}`.execute(tx.db);
  for (const grant of grants) {
    // What this call took already, in an earlier execution of its run, is not taken once more.
    const own = before[0]?.grantId === grant.grantId;
    const covered = covers(own ? { ...grant, uses: 0, usedSum: 0 } : grant, wanted);
    if (covered.kind !== 'COVERS' || (before.length > 0 && !own)) continue;
    if (!own) use(tx, run, grant.grantId, call.callId, covered.amount);
    tx.write(sql`update calls set granted = jsonb_build_object('grantId', ${grant.grantId}::text, 'by', ${JSON.stringify(covered.by)}::jsonb,
        'hash', ${call.hash}::text, 'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) where call_id = ${call.callId}`);
    audit(tx, {
      orgId: run.orgId,
      runId: run.runId,
      actor: covered.by.join(' '),
      action: 'grant.used',
      data: { callId: call.callId, grantId: grant.grantId, hash: call.hash },
    });
    return { kind: 'TAKEN' };
  }
  return { kind: 'NONE', near: lookedAt(grants, wanted).near };
}

function use(
  tx: StoreTransaction,
  { orgId }: LockedRun,
  grantId: string,
  callId: string,
  amount: number,
): void {
  tx.write(sql`
    with used as (update grants set uses = uses + 1, used_sum = used_sum + ${amount} where grant_id = ${grantId})
    insert into grant_uses (call_id, grant_id, org_id, amount) values (${callId}, ${grantId}, ${orgId}, ${amount})`);
}
