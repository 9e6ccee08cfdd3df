// What docs/approval.md shows as policies: each is taken, and does what its sentence says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ApprovalFileSchema, problemsOfRule } from '../../src/agents/approval-rules.ts';
import type { Rule } from '../../src/contract/agent.ts';
import { judgeCall } from '../../src/policy/judge.ts';
import { httpTool } from '../tools/snapshots.ts';

const TEXT = readFileSync(new URL('../../docs/approval.md', import.meta.url), 'utf8');
const THREE = TEXT.slice(TEXT.indexOf('## Three policies'));
const [REFUNDS, MAIL, DATABASE] = [...THREE.matchAll(/```yaml\n([^]*?)```/g)].map(([, yaml = '']) =>
  ApprovalFileSchema.parse({ rules: parse(yaml) as unknown }),
);
type Arguments = Readonly<Record<string, unknown>>;

const string = { type: 'string' };
const inputOf = (properties: Arguments): Arguments => ({ type: 'object', properties });

describe('the policies that docs/approval.md shows', () => {
  const cases = (
    policy: { readonly rules: readonly Rule[] } | undefined,
    properties: Arguments,
    table: readonly (readonly [Arguments, string, (readonly Arguments[])?])[],
  ): void => {
    const rules = policy?.rules ?? assert.fail('it is not there');
    const input = inputOf(properties);
    for (const rule of rules) assert.deepEqual(problemsOfRule(rule, input), [], rule.name);
    const tool = { ...httpTool({ url: 'http://127.0.0.1:9/x' }), input, rules: [...rules] };
    for (const [args, then, earlier = []] of table) {
      const judged = judgeCall({ ...tool, otherwise: 'required' }, 1, {
        ...{ args, user: { id: 'ada', roles: [] }, orgId: 'acme', agentId: 'a', earlier },
      });
      assert.equal(judged.then, then, JSON.stringify(args));
    }
  };

  it('let small refunds run within a sum, ask two about large ones, and refuse those over the limit', () => {
    const refund = (amountCents: number, orderId = 'o-1', reason = 'late'): Arguments => ({
      ...{ amountCents, orderId, reason },
    });
    cases(REFUNDS, { amountCents: { type: 'integer' }, orderId: string, reason: string }, [
      [refund(2000), 'never'],
      [refund(2000), 'required', [refund(2000), refund(2000)]],
      [refund(2001), 'required'],
      [refund(2000, 'o-1\n'), 'required'],
      [refund(2000, 'o-1', 'gift'), 'required'],
      [refund(200_000), 'required'],
      [refund(1_000_001), 'refuse'],
    ]);
  });
  it('let mail to the house run, ask about all other, and refuse floods', () => {
    const mail = (to: string): Arguments => ({ to, subject: 's', body: 'b' });
    cases(MAIL, { to: string, subject: string, body: string }, [
      [mail('ada@example.com'), 'never'],
      [mail('ada@example.com.evil.org'), 'required'],
      [mail('ada@example.com, eve@evil.org'), 'required'],
      [mail('ada@example.com'), 'required', [mail('ada@example.com')]],
      [mail('lea@example.com'), 'refuse', Array.from({ length: 20 }, () => mail('x@example.com'))],
    ]);
  });
  it('let reading run, ask about writing, ask two about dropping, and refuse accounts', () => {
    const query = (kind: string, table: string): Arguments => ({ kind, table });
    cases(DATABASE, { kind: string, table: string }, [
      [query('select', 'orders'), 'never'],
      [query('select', 'users'), 'required'],
      [query('update', 'orders'), 'required'],
      [query('drop', 'orders'), 'required'],
      [query('select', 'accounts'), 'refuse'],
    ]);
  });
});
