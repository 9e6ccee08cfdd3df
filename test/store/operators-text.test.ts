// What an operator is told of a pause, held against what judgeVote lets an operator do: what is
// offered is taken as it is written, what would be refused is not offered.

import assert from 'node:assert/strict';
import { createSettleRun } from '../../src/activities/settle-run.ts';
import { AppError } from '../../src/contract/errors.ts';
import type { PauseKind } from '../../src/contract/turn.ts';
import { describePause, type WaitingCall } from '../../src/store/calls/describe-pause.ts';
import {
  judgeVote,
  type OperatorDecisions,
  type Situation,
  type VoteRequest,
} from '../../src/store/calls/vote-policy.ts';
import { agent, all, drive, openBench, tool, type Bench } from './fixture.ts';

const PAUSE = 'pause_1';
const PAUSED = { kind: 'PAUSED', turn: 1, n: 1, pauseKind: 'APPROVAL' } as const;
const SETTINGS = ['full', 'reject-only', 'off'] as const satisfies readonly OperatorDecisions[];
const APPROVERS: readonly (readonly [string, readonly string[] | null])[] = [
  ['anyone', null],
  ['one person', ['user:lea']],
  ['a role', ['role:support-lead']],
  ['a role and operators', ['role:support-lead', 'operator']],
];

const call = (more: Partial<WaitingCall> = {}): WaitingCall => ({
  callId: 'call_1',
  name: 'send_email',
  arguments: '{"to":"ada@example.com"}',
  argumentsHash: 'ab12',
  risk: 'normal',
  guarded: true,
  approvers: null,
  evidence: null,
  kind: 'APPROVAL',
  expiresAt: null,
  ...more,
});

const situation = (open: readonly WaitingCall[], kind: PauseKind): Situation => ({
  status: 'PAUSED',
  pauseId: PAUSE,
  startedBy: 'ada',
  userId: 'ada',
  quorum: 1,
  fourEyes: false,
  open,
  votes: [],
  decisions: [],
  pauses: new Map([[PAUSE, kind]]),
});

const isTaken = (
  open: readonly WaitingCall[],
  allowed: OperatorDecisions,
  request: VoteRequest,
): boolean => {
  try {
    judgeVote(
      situation(open, open[0]?.kind ?? 'APPROVAL'),
      { kind: 'operator', allowed },
      { ...request, shownPauseId: PAUSE },
    );
    return true;
  } catch (error) {
    assert.ok(error instanceof AppError);
    return false;
  }
};

/** The approval that the text spells out, as the store is asked for it; none where it offers none. */
const offeredIn = (text: string): VoteRequest | undefined => {
  if (!text.includes('choose `approve`') && !text.includes('Choose `approve`')) return undefined;
  if (text.includes('leave the input empty')) return all('APPROVE');
  const typed = /with the input `({[^`]*})`/.exec(text)?.[1] ?? assert.fail(text);
  const { pauseId, ...vote } = JSON.parse(typed);
  return {
    ...(pauseId === undefined ? {} : { pauseId }),
    votes: { each: [{ ...vote, action: 'APPROVE' }] },
  };
};

const told = (
  calls: readonly WaitingCall[],
  operators: OperatorDecisions,
  more: { readonly quorum?: number; readonly fourEyes?: boolean } = {},
): string => describePause(PAUSE, calls, { quorum: 1, fourEyes: false, operators, ...more });

describe('what an operator reads', () => {
  for (const operators of SETTINGS)
    for (const [who, approvers] of APPROVERS)
      it(`where the setting is ${operators} and ${who} may approve, is what an operator may do`, () => {
        const forms: readonly (readonly WaitingCall[])[] = [
          [call({ approvers })],
          [call({ approvers, risk: 'high' })],
          [call({ approvers, kind: 'OUTCOME_UNKNOWN', evidence: 'the connection was lost' })],
          [call({ approvers }), call({ callId: 'call_2', approvers })],
        ];
        const may = operators === 'full' && (approvers === null || approvers.includes('operator'));
        for (const calls of forms) {
          const text = told(calls, operators);
          const offered = offeredIn(text);
          assert.equal(offered !== undefined, may, text);
          if (offered !== undefined) assert.ok(isTaken(calls, operators, offered), text);
          assert.equal(text.includes('`reject`'), isTaken(calls, operators, all('REJECT')), text);
          for (const name of approvers ?? ['anyone of the org with the scope runs:approve'])
            assert.ok(text.includes(name), text);
        }
      });

  it('of several calls, some of them not theirs, is to approve one by its id', () => {
    for (const risk of ['normal', 'high'] as const) {
      const calls = [call({ approvers: ['user:lea'] }), call({ callId: 'call_2', risk })];
      const text = told(calls, 'full');
      const offered = offeredIn(text) ?? assert.fail(text);
      assert.ok(isTaken(calls, 'full', offered), text);
      assert.ok(!isTaken(calls, 'full', all('APPROVE')));
      assert.match(text, /`call_2` is all that an operator may approve/);
    }
  });

  it('names the votes it needs, the expiry and four eyes, and that an unknown outcome needs one', () => {
    const expiresAt = '2030-01-02T03:04:05Z';
    const text = told([call({ expiresAt })], 'full', { quorum: 2, fourEyes: true });
    assert.match(text, /needs 2 votes · counts as rejected from 2030-01-02T03:04:05Z on/);
    assert.match(text, /not by who asked \(four eyes\)/);
    assert.match(text, /counts as one vote/);
    const unknown = told([call({ kind: 'OUTCOME_UNKNOWN', guarded: false })], 'full', {
      quorum: 2,
      fourEyes: true,
    });
    assert.doesNotMatch(unknown, /votes|four eyes/);
  });
});

describe('the text of a pause in the store', () => {
  let bench: Bench;
  before(async () => (bench = await openBench()));
  after(() => bench.close());

  it("is of the setting in force, the call's approvers and the agent's policy", async () => {
    const s = drive(bench.store);
    const run = await s.start({
      agent: agent({
        tools: [tool('send', { approvers: ['user:lea'] })],
        approvals: { expiresAfterMs: 60_000, quorum: 2, fourEyes: true },
      }),
    });
    const ids = await s.asks(run, 1, ['send']);
    const textUnder = async (operators: OperatorDecisions): Promise<string> =>
      (
        await createSettleRun({
          store: bench.store,
          onReleased: () => undefined,
          operatorDecisions: operators,
        })({ runId: run.runId, settlement: { ...PAUSED, callIds: ids } })
      ).pause?.waiting ?? '';
    const full = await textUnder('full');
    const expiresAt = (await s.read(run)).calls[0]?.expiresAt?.slice(0, 19) ?? 'none';
    for (const part of ['user:lea', 'needs 2 votes', 'four eyes', expiresAt, 'only reject this'])
      assert.ok(full.includes(part), `${part}: ${full}`);
    assert.match(await textUnder('reject-only'), /only reject here/);
    assert.match(await textUnder('off'), /Operators decide nothing here/);
  });

  it('leads to the run’s page in the console, where its address is known', async () => {
    const s = drive(bench.store);
    const run = await s.start();
    const ids = await s.asks(run, 1, ['send']);
    const shown = async (pageUrl?: string): Promise<string> => {
      const settleRun = createSettleRun({
        store: bench.store,
        onReleased: () => undefined,
        operatorDecisions: 'full',
        pageUrl,
      });
      const settlement = { ...PAUSED, callIds: ids };
      return (await settleRun({ runId: run.runId, settlement })).pause?.waiting ?? '';
    };
    assert.ok(
      (await shown('https://h.example')).includes(`](https://h.example/#/runs/${run.runId})`),
    );
    assert.doesNotMatch(await shown(), /#\/runs/);
  });
});
