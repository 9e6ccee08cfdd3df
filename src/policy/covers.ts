// Does a grant cover a call, and if it does not though its condition holds, why? Pure: the grant as
// it is under its lock, the call as its policy was judged.

import { compileCondition } from './expression.ts';
import type { ApproverLists } from './approvers.ts';
import type { JsonSchema } from './argument-types.ts';

export interface Giver {
  readonly person: string;
  readonly roles: readonly string[];
  readonly service: boolean;
}

export interface GrantNow {
  readonly grantId: string;
  readonly definition: string;
  readonly condition: string;
  readonly maxUses: number;
  readonly uses: number;
  readonly sumField: string | null;
  readonly maxSum: number | null;
  readonly usedSum: number;
  readonly userId: string | null;
  readonly active: boolean;
  readonly expired: boolean;
  readonly givers: readonly Giver[];
}

export interface CallToCover {
  readonly args: Readonly<Record<string, unknown>>;
  readonly input: JsonSchema;
  /** Of the tool in the run's snapshot. */
  readonly definition: string;
  readonly risk: 'normal' | 'high';
  readonly approvers: ApproverLists;
  readonly quorum: number;
  readonly fourEyes: boolean;
  readonly userId: string;
  readonly startedBy: string;
}

export type Covered =
  | { readonly kind: 'COVERS'; readonly amount: number; readonly by: readonly string[] }
  /** Its condition holds, and something else does not. */
  | { readonly kind: 'NEARLY'; readonly why: string }
  | { readonly kind: 'NOT' };

export function covers(grant: GrantNow, call: CallToCover): Covered {
  const compiled = compileCondition(grant.condition, call.input);
  const verdict = compiled.ok
    ? compiled.condition.judge({
        args: call.args,
        user: { id: call.userId, roles: null },
        orgId: '',
        agentId: '',
        earlier: [],
      })
    : compiled;
  if (!('matches' in verdict) || !verdict.matches) return { kind: 'NOT' };
  const amount = amountOf(grant.sumField, call.args);
  const by = grant.givers.filter((giver) => mayGive(giver, call)).map((giver) => giver.person);
  const why = whyNot(grant, call, amount, by.length);
  return why === undefined ? { kind: 'COVERS', amount: amount ?? 0, by } : { kind: 'NEARLY', why };
}

function whyNot(
  grant: GrantNow,
  call: CallToCover,
  amount: number | undefined,
  givers: number,
): string | undefined {
  if (call.risk === 'high') return 'the call is of high risk';
  if (grant.definition !== call.definition) return 'the tool is another one since';
  if (grant.expired) return 'it has expired';
  if (!grant.active) return 'not enough people have given it yet';
  if (grant.userId !== null && grant.userId !== call.userId) return 'it is for another user';
  if (givers < call.quorum)
    return `${call.quorum} who may approve this call have to have given it, and ${givers} have`;
  if (grant.uses >= grant.maxUses) return `its ${grant.maxUses} uses are used up`;
  if (grant.maxSum === null) return undefined;
  if (amount === undefined) return `the call has no amount in ${grant.sumField ?? ''}`;
  return grant.usedSum + amount > grant.maxSum ? 'its sum would be passed' : undefined;
}

/** By what its token said when it was given, and the policy of this call. */
function mayGive({ person, roles, service }: Giver, call: CallToCover): boolean {
  if (call.fourEyes && (person === call.userId || person === call.startedBy)) return false;
  const names = [`user:${person}`, ...(service ? [] : roles.map((role) => `role:${role}`))];
  if (service && call.approvers.length === 0) return false;
  return call.approvers.every((list) => list.some((name) => names.includes(name)));
}

/** Never below nothing: a negative amount would make room. undefined: there is none. */
function amountOf(
  field: string | null,
  args: Readonly<Record<string, unknown>>,
): number | undefined {
  if (field === null) return 0;
  const value = field
    .split('.')
    .slice(1)
    .reduce<unknown>((at, name) => (at as Readonly<Record<string, unknown>> | null)?.[name], args);
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
