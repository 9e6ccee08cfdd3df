// A scripted week of 500 refunds and what people said of each, held against rules and a grant: how
// often people are asked, and that nothing is let through that they had rejected or edited.

import assert from 'node:assert/strict';
import type { Rule } from '../../src/contract/agent.ts';
import { backtest, type KeptCall } from '../../src/policy/backtest.ts';
import { covers, type GrantNow } from '../../src/policy/covers.ts';
import type { RuledTool } from '../../src/policy/judge.ts';
import { createRandom } from '../rig/random.ts';

const CALLS = 500;
const INPUT = {
  type: 'object',
  properties: {
    orderId: { type: 'string' },
    amountCents: { type: 'integer' },
    reason: { enum: ['damaged', 'late', 'wrong_item', 'other'] },
  },
  required: ['orderId', 'amountCents', 'reason'],
  additionalProperties: false,
};
const RULES: Rule[] = [
  {
    name: 'small',
    when: 'args.amountCents > 0 && args.amountCents <= 2000 && args.orderId.matches("^o-[0-9]+$") && args.reason in ["damaged", "late", "wrong_item"] && run.sumOf("args.amountCents") + args.amountCents <= 5000',
    then: 'never',
  },
  { name: 'by_hand', when: 'args.amountCents > 1000000', then: 'refuse' },
];
const refund: RuledTool = {
  ...{ name: 'refund', input: INPUT, rules: RULES, approvers: null },
  otherwise: 'required',
  approval: 'required',
  risk: 'normal',
};

type Refund = { orderId: string; amountCents: number; reason: string };

/** Mostly small and plain; some large, some vague, some that name no order, some split up. */
function aWeek(seed: number): readonly KeptCall[] {
  const { next } = createRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  let runId = 'run-0';
  return Array.from({ length: CALLS }, (_, i) => {
    if (next() < 0.8) runId = `run-${i}`;
    const large = next();
    const amountCents = Math.floor(
      large < 0.7
        ? 100 + next() * 1900
        : large < 0.97
          ? 2001 + next() * 48_000
          : next() * 5_000_000,
    );
    const reason = next() < 0.1 ? 'other' : pick(['damaged', 'late', 'wrong_item']);
    const orderId = next() < 0.03 ? `O-${i} or o-${i + 1}` : `o-${1000 + i}`;
    const args: Refund = { orderId, amountCents, reason };
    const said = saidBy(args);
    return {
      ...{ callId: `call-${i}`, runId, args, was: 'required' as const, userId: 'ada', roles: [] },
      rejectedByPeople: said === 'reject',
      editedByPeople: said === 'edit',
      counts: said !== 'reject',
    };
  });
}

/** What a person who reads each of them says, knowing no rule. */
function saidBy({ orderId, amountCents, reason }: Refund): 'approve' | 'reject' | 'edit' {
  if (!/^o-[0-9]+$/.test(orderId)) return 'reject';
  if (amountCents > 400_000) return 'reject';
  if (reason === 'other') return amountCents > 1000 ? 'reject' : 'edit';
  return 'approve';
}

const GRANT: GrantNow = {
  ...{ grantId: 'g', definition: 'd', maxUses: 150, uses: 0, userId: null },
  condition:
    'args.amountCents > 0 && args.amountCents <= 10000 && args.orderId.matches("^o-[0-9]+$") && args.reason != "other"',
  ...{ sumField: 'args.amountCents', maxSum: 500_000, usedSum: 0 },
  ...{ active: true, expired: false, givers: [{ person: 'lea', roles: [], service: false }] },
};

describe('a week of 500 refunds', () => {
  it('asks people less than half as often under rules, and less again under a grant, with nothing let through that they had rejected or edited', () => {
    const calls = aWeek(20_260_302);
    const no = calls.filter((call) => call.rejectedByPeople || call.editedByPeople);
    assert.ok(no.length > 40, 'people have said no, or changed it, often enough to show something');
    const asked = { plainly: CALLS, byRules: 0, byGrant: 0 };
    let grant = GRANT;
    const through: KeptCall[] = [];
    const judging = { orgId: 'acme', agentId: 'shop', quorum: 1 };
    for (const { call, would } of backtest(refund, calls, judging)) {
      if (would === 'never') through.push(call);
      if (would !== 'required') continue;
      asked.byRules++;
      const covered = covers(grant, {
        ...{ args: call.args, input: INPUT, definition: 'd', risk: 'normal', approvers: [] },
        ...{ quorum: 1, fourEyes: false, userId: call.userId, startedBy: call.userId },
      });
      if (covered.kind !== 'COVERS') {
        asked.byGrant++;
        continue;
      }
      through.push(call);
      grant = { ...grant, uses: grant.uses + 1, usedSum: grant.usedSum + covered.amount };
    }
    console.log(
      `      people asked: ${asked.plainly} times without rules, ${asked.byRules} with them, ${asked.byGrant} with a grant beside them; ${no.length} of the calls they had rejected or edited, 0 of those let through`,
    );
    assert.deepEqual(
      through.filter((call) => call.rejectedByPeople || call.editedByPeople),
      [],
    );
    assert.ok(asked.byRules < CALLS / 2, `${asked.byRules}`);
    assert.ok(asked.byGrant < asked.byRules, `${asked.byGrant}`);
    assert.ok(grant.uses <= GRANT.maxUses && grant.usedSum <= (GRANT.maxSum ?? 0));
  });
});
