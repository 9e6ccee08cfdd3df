// Which calls a grant covers, guard by guard. Taking its uses is test/store/grants-contract.ts's.

import assert from 'node:assert/strict';
import { covers, type CallToCover, type GrantNow } from '../../src/policy/covers.ts';

const lea = { person: 'lea', roles: ['boss'], service: false };
const GRANT: GrantNow = {
  ...{ grantId: 'g', definition: 'd', condition: 'args.cents > 0', userId: null },
  ...{ maxUses: 2, uses: 1, sumField: 'args.cents', maxSum: 100, usedSum: 40 },
  ...{ active: true, expired: false, givers: [lea] },
};
const CALL: CallToCover = {
  ...{ args: { cents: 60 }, input: { type: 'object', properties: { cents: { type: 'integer' } } } },
  ...{ definition: 'd', risk: 'normal', approvers: [], quorum: 1, fourEyes: false },
  ...{ userId: 'ada', startedBy: 'bot' },
};
const why = (grant: Partial<GrantNow>, call: Partial<CallToCover> = {}): string => {
  const covered = covers({ ...GRANT, ...grant }, { ...CALL, ...call });
  return covered.kind === 'NEARLY' ? covered.why : covered.kind;
};

describe('a grant and a call', () => {
  it('that fits in every bound is covered, by who may approve it, to the last use and the whole sum', () => {
    assert.deepEqual(covers(GRANT, CALL), { kind: 'COVERS', amount: 60, by: ['lea'] });
  });

  for (const [what, grant, call, expected] of [
    ['another condition', { condition: 'args.cents > 60' }, {}, 'NOT'],
    ['a condition that cannot be judged', {}, { args: {} }, 'NOT'],
    ['high risk', {}, { risk: 'high' }, 'the call is of high risk'],
    ['another tool', { definition: 'e' }, {}, 'the tool is another one since'],
    ['its time over', { expired: true }, {}, 'it has expired'],
    ['too few givers yet', { active: false }, {}, 'not enough people have given it yet'],
    ['another user', { userId: 'eve' }, {}, 'it is for another user'],
    ['its uses used up', { uses: 2 }, {}, 'its 2 uses are used up'],
    ['its sum passed by one', { usedSum: 41 }, {}, 'its sum would be passed'],
    ['no amount', { condition: 'true' }, { args: {} }, 'the call has no amount in args.cents'],
    [
      'an amount below nothing',
      { condition: 'true' },
      { args: { cents: -1 } },
      'the call has no amount in args.cents',
    ],
  ] as const)
    it(`is not covered: ${what}`, () => assert.equal(why(grant, call), expected));

  for (const [what, grant, call] of [
    ['who may not approve it', {}, { approvers: [['user:max']] }],
    ['who is in one list of two', {}, { approvers: [['user:lea'], ['role:audit']] }],
    ['one, where two are needed', {}, { quorum: 2 }],
    ['who asked, under four eyes', { givers: [{ ...lea, person: 'ada' }] }, { fourEyes: true }],
    [
      'who started it, under four eyes',
      { givers: [{ ...lea, person: 'bot' }] },
      { fourEyes: true },
    ],
    ['a service that nobody named', { givers: [{ ...lea, service: true }] }, {}],
    [
      'a service, by a role',
      { givers: [{ ...lea, service: true }] },
      { approvers: [['role:boss']] },
    ],
  ] as const)
    it(`is not covered: given by ${what}`, () =>
      assert.match(why(grant, call), /who may approve this call have to have given it/));
});
