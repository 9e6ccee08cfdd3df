import assert from 'node:assert/strict';
import { AppError, type ProblemCode } from '../../src/contract/errors.ts';
import {
  judgeVote,
  voterProblem,
  type CastVote,
  type MadeDecision,
  type OpenCall,
  type Situation,
  type Voter,
  type VoteRequest,
} from '../../src/store/calls/vote-policy.ts';

const open = (callId: string, more: Partial<OpenCall> = {}): OpenCall => ({
  ...{
    callId,
    name: 'send_email',
    kind: 'APPROVAL',
    risk: 'normal',
    guarded: true,
    argumentsHash: `hash-${callId}`,
    approvers: null,
  },
  ...more,
});
const situation = (more: Partial<Situation> = {}): Situation => ({
  ...{
    status: 'PAUSED',
    pauseId: 'p1',
    startedBy: 'ada',
    userId: 'mia',
    quorum: 1,
    fourEyes: false,
  },
  ...{ open: [open('c1')], votes: [], decisions: [], pauses: new Map([['p1', 'APPROVAL']]) },
  ...more,
});
const vote = (
  person: string,
  action: 'APPROVE' | 'REJECT',
  callId = 'c1',
  pauseId = 'p1',
): CastVote => ({
  person,
  action,
  callId,
  pauseId,
});
const decision = (
  by: string,
  action: 'APPROVE' | 'REJECT',
  callId = 'c1',
  pauseId = 'p1',
): MadeDecision => ({
  by: [by],
  action,
  callId,
  pauseId,
  at: '2030-01-02T03:04:05.678Z',
});
const person = (
  subject: string,
  more: Partial<Extract<Voter, { kind: 'person' }>> = {},
): Voter => ({
  kind: 'person',
  subject,
  roles: [],
  service: false,
  ...more,
});
const all = (action: 'APPROVE' | 'REJECT', more: Partial<VoteRequest> = {}): VoteRequest => ({
  votes: { all: { action } },
  ...more,
});
const each = (
  callId: string,
  action: 'APPROVE' | 'REJECT',
  more: Partial<VoteRequest> = {},
  voteMore: object = {},
): VoteRequest => ({
  votes: { each: [{ callId, action, ...voteMore }] },
  ...more,
});
const ids = (s: Situation, voter: Voter, request: VoteRequest): readonly string[] =>
  judgeVote(s, voter, request).map(({ call }) => call.callId);
const refused = (code: ProblemCode, s: Situation, voter: Voter, request: VoteRequest): string => {
  try {
    judgeVote(s, voter, request);
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, code, error.detail);
    return error.detail;
  }
  return assert.fail(`taken instead of ${code}`);
};
const ada = person('ada');
const bob = person('bob');

/** Decided by ada in p1, and running on. */
const running = situation({
  status: 'RUNNING',
  pauseId: null,
  open: [],
  votes: [vote('ada', 'APPROVE')],
  decisions: [decision('ada', 'APPROVE')],
});
/** The same, paused again on another call. */
const again = situation({
  ...{
    pauseId: 'p2',
    open: [open('c2')],
    votes: [vote('ada', 'APPROVE')],
    decisions: [decision('ada', 'APPROVE')],
  },
  pauses: new Map([
    ['p1', 'APPROVAL'],
    ['p2', 'APPROVAL'],
  ]),
});
/** c1 went out in p1 and was not answered: p2 asks about it. */
const unknown = situation({
  ...{
    pauseId: 'p2',
    open: [open('c1', { kind: 'OUTCOME_UNKNOWN' })],
    votes: [vote('ada', 'APPROVE')],
    decisions: [decision('ada', 'APPROVE')],
  },
  pauses: new Map([
    ['p1', 'APPROVAL'],
    ['p2', 'OUTCOME_UNKNOWN'],
  ]),
});

describe('judging a vote', () => {
  it('a bare vote is one on every open call, in the pause’s order', () => {
    const s = situation({ open: [open('c1'), open('c2')] });
    assert.deepEqual(ids(s, ada, all('APPROVE')), ['c1', 'c2']);
    assert.deepEqual(ids(s, bob, all('REJECT', { pauseId: 'p1' })), ['c1', 'c2']);
    assert.deepEqual(
      ids(s, ada, {
        votes: {
          each: [
            { callId: 'c2', action: 'REJECT' },
            { callId: 'c1', action: 'APPROVE' },
          ],
        },
      }),
      ['c1', 'c2'],
    );
  });

  it('the same vote again is none, in any state, by call, by pause and bare', () => {
    for (const s of [
      running,
      situation({ ...running, status: 'COMPLETED' }),
      situation({ ...running, status: 'CANCELLED' }),
    ])
      for (const request of [
        all('APPROVE'),
        all('APPROVE', { pauseId: 'p1' }),
        each('c1', 'APPROVE'),
        each('c1', 'APPROVE', { pauseId: 'p1' }),
      ])
        assert.deepEqual(ids(s, ada, request), []);
    assert.deepEqual(ids(again, ada, all('APPROVE', { pauseId: 'p1' })), [], 'for a past pause');
    assert.deepEqual(
      ids(situation({ quorum: 2, votes: [vote('ada', 'APPROVE')] }), ada, all('APPROVE')),
      [],
      'while the call is open',
    );
  });

  it('where calls are still open that one has not voted on, the same word is a new vote on those alone', () => {
    const s = situation({
      quorum: 2,
      open: [open('c1'), open('c2')],
      votes: [vote('ada', 'APPROVE')],
    });
    assert.deepEqual(ids(s, ada, all('APPROVE')), ['c2']);
  });

  it('a decided call is 409 with who, what and when, before the state, the pause and the hash are looked at', () => {
    for (const [who, request] of [
      [bob, each('c1', 'APPROVE')],
      [ada, each('c1', 'REJECT')],
      [bob, each('c1', 'APPROVE', { pauseId: 'p9' }, { argumentsHash: 'x' })],
    ] as const)
      assert.match(
        refused('ALREADY_DECIDED', running, who, request),
        /approved by ada at 2030-01-02T03:04:05\.678Z/,
      );
    assert.match(refused('ALREADY_DECIDED', again, bob, each('c1', 'REJECT')), /approved by ada/);
  });

  it('a run that is not paused is 409 with its state and last decision', () => {
    assert.match(refused('NOT_PAUSED', running, bob, all('APPROVE')), /RUNNING.*approved by ada/);
    assert.match(refused('NOT_PAUSED', running, ada, all('REJECT')), /RUNNING/);
    assert.match(
      refused(
        'NOT_PAUSED',
        situation({ status: 'COMPLETED', open: [], pauses: new Map() }),
        ada,
        all('APPROVE'),
      ),
      /COMPLETED/,
    );
  });

  it('a pause or call that is not the present one is 409, and the whole body is refused with it', () => {
    refused('NOT_THIS_PAUSE', again, bob, all('REJECT', { pauseId: 'p1' }));
    refused('NOT_THIS_PAUSE', situation(), ada, all('APPROVE', { pauseId: 'p0' }));
    refused('NOT_THIS_PAUSE', situation(), ada, {
      votes: {
        each: [
          { callId: 'c1', action: 'APPROVE' },
          { callId: 'c9', action: 'APPROVE' },
        ],
      },
    });
  });

  it('a vote without the right to one of its calls is 403 and casts none, before 428 and 412', () => {
    const s = situation({
      open: [open('c1'), open('c2', { approvers: ['user:lea'], risk: 'high' })],
    });
    refused('FORBIDDEN', s, ada, all('APPROVE'));
    refused('FORBIDDEN', s, ada, each('c2', 'APPROVE', {}, { argumentsHash: 'wrong' }));
    assert.deepEqual(ids(s, ada, each('c1', 'APPROVE')), ['c1']);
    assert.deepEqual(ids(s, person('lea'), all('REJECT')), ['c1', 'c2']);
  });

  it('paused again, a bare APPROVE is 428 and says both ways; by pause or call, and a bare REJECT, it votes', () => {
    for (const who of [ada, bob])
      assert.match(refused('CALL_ID_REQUIRED', again, who, all('APPROVE')), /callId.*pauseId "p2"/);
    for (const request of [all('APPROVE', { pauseId: 'p2' }), each('c2', 'APPROVE'), all('REJECT')])
      assert.deepEqual(ids(again, ada, request), ['c2']);
  });

  it('high risk is approved by callId with the hash; a wrong hash on any call is 412; a bare REJECT needs neither', () => {
    const s = situation({ open: [open('c1'), open('c2', { risk: 'high' })] });
    for (const request of [
      all('APPROVE'),
      all('APPROVE', { pauseId: 'p1' }),
      each('c2', 'APPROVE'),
    ])
      refused('CALL_ID_REQUIRED', s, ada, request);
    refused('HASH_MISMATCH', s, ada, each('c2', 'APPROVE', {}, { argumentsHash: 'hash-c1' }));
    refused('HASH_MISMATCH', s, ada, each('c1', 'APPROVE', {}, { argumentsHash: 'hash-c2' }));
    assert.deepEqual(ids(s, ada, each('c2', 'APPROVE', {}, { argumentsHash: 'hash-c2' })), ['c2']);
    assert.deepEqual(ids(s, ada, all('REJECT')), ['c1', 'c2']);
  });

  it('an edit is refused for a quorum over one and for an unknown outcome', () => {
    const edited = { arguments: { to: 'x' } };
    refused('INVALID_REQUEST', situation({ quorum: 2 }), ada, each('c1', 'APPROVE', {}, edited));
    refused('INVALID_REQUEST', unknown, ada, each('c1', 'APPROVE', { pauseId: 'p2' }, edited));
    assert.deepEqual(ids(situation(), ada, each('c1', 'APPROVE', {}, edited)), ['c1']);
  });

  it('an unknown outcome is done again by callId and pauseId together; the first click again pays nothing', () => {
    for (const request of [
      all('APPROVE'),
      all('APPROVE', { pauseId: 'p2' }),
      each('c1', 'APPROVE'),
    ])
      for (const who of [ada, bob]) refused('CALL_ID_REQUIRED', unknown, who, request);
    assert.deepEqual(
      ids(unknown, ada, each('c1', 'APPROVE', { pauseId: 'p1' })),
      [],
      'for the past pause: that vote stands, nothing new',
    );
    refused('NOT_THIS_PAUSE', unknown, bob, each('c1', 'APPROVE', { pauseId: 'p1' }));
    assert.deepEqual(ids(unknown, bob, each('c1', 'APPROVE', { pauseId: 'p2' })), ['c1']);
    assert.deepEqual(ids(unknown, bob, all('REJECT')), ['c1']);
  });

  it('an unknown outcome that was decided is never "the same vote" without its pauseId', () => {
    const s = situation({
      ...{ status: 'RUNNING', pauseId: null, open: [], pauses: unknown.pauses },
      ...{
        votes: [vote('bob', 'APPROVE', 'c1', 'p2')],
        decisions: [decision('bob', 'APPROVE', 'c1', 'p2')],
      },
    });
    assert.deepEqual(ids(s, bob, each('c1', 'APPROVE', { pauseId: 'p2' })), []);
    refused('NOT_PAUSED', s, bob, all('APPROVE'));
    refused('ALREADY_DECIDED', s, bob, each('c1', 'APPROVE'));
  });
});

describe('the right to vote', () => {
  const may = (
    voter: Voter,
    call: Partial<OpenCall> = {},
    s: Partial<Situation> = {},
    action: 'APPROVE' | 'REJECT' = 'APPROVE',
  ): boolean => voterProblem(situation(s), open('c1', call), voter, action) === undefined;

  it('without approvers it is anyone’s; else the named user’s and role’s', () => {
    assert.ok(may(ada));
    const named = { approvers: ['user:lea', 'role:boss'] };
    assert.deepEqual(
      [may(ada, named), may(person('lea'), named), may(person('x', { roles: ['boss'] }), named)],
      [false, true, true],
    );
    assert.ok(!may(person('boss', { roles: ['user:lea', 'lea'] }), named));
  });

  it('a service token votes only where it is named as user', () => {
    const robot = person('robot', { service: true, roles: ['boss'] });
    assert.deepEqual(
      [
        may(robot),
        may(robot, { approvers: ['role:boss'] }),
        may(robot, { approvers: ['user:robot'] }),
      ],
      [false, false, true],
    );
  });

  it('four eyes excludes who started the run and its user, from guarded calls', () => {
    const four = { fourEyes: true };
    assert.deepEqual(
      [
        may(ada, {}, four),
        may(person('mia'), {}, four),
        may(bob, {}, four),
        may(ada, { guarded: false }, four),
      ],
      [false, false, true, true],
    );
    assert.ok(!may(ada, { approvers: ['user:ada'] }, four), 'named or not');
  });

  it('an operator votes about the pause that was shown when the signal came, on no other', () => {
    const operator: Voter = { kind: 'operator', allowed: 'full' };
    for (const action of ['APPROVE', 'REJECT'] as const)
      for (const request of [all(action), each('c2', action)]) {
        refused('NOT_THIS_PAUSE', again, operator, { ...request, shownPauseId: 'p1' });
        assert.deepEqual(ids(again, operator, { ...request, shownPauseId: 'p2' }), ['c2']);
      }
    const named = all('APPROVE', { pauseId: 'p2', shownPauseId: 'p1' });
    refused('NOT_THIS_PAUSE', again, operator, named);
  });

  it('an operator may reject anything unless switched off, and approve what no approvers or "operator" guard', () => {
    const operator = (allowed: 'full' | 'reject-only' | 'off'): Voter => ({
      kind: 'operator',
      allowed,
    });
    const lea = { approvers: ['user:lea'] };
    assert.deepEqual(
      [
        may(operator('full')),
        may(operator('full'), { approvers: ['operator'] }),
        may(operator('full'), lea),
      ],
      [true, true, false],
    );
    assert.deepEqual(
      [
        may(operator('full'), lea, {}, 'REJECT'),
        may(operator('reject-only'), lea, {}, 'REJECT'),
        may(operator('reject-only')),
      ],
      [true, true, false],
    );
    assert.deepEqual(
      [may(operator('off')), may(operator('off'), {}, {}, 'REJECT')],
      [false, false],
    );
  });
});
