// Decisions that are not a caller's vote for what is shown: an operator's clicks, one too many of
// them, and votes that were meant for a pause that is over.

import { setTimeout as sleep } from 'node:timers/promises';
import type { History, Op } from './history.ts';
import type { Operator } from './operator.ts';
import type { Random } from '../test/rig/random.ts';
import type { Answer, Ask } from './requests.ts';

export interface Pending {
  readonly callId: string;
  readonly kind: 'APPROVAL' | 'OUTCOME_UNKNOWN';
  readonly argumentsHash: string;
}

export interface OddVotes {
  /** Whether an operator decides here: the first pause of approvals, as long as it lasts. */
  readonly isFirstApproval: (op: Op, answer: Answer) => boolean;
  readonly click: (op: Op, answer: Answer) => Promise<void>;
  readonly votePast: (op: Op, answer: Answer) => Promise<void>;
}

export interface OddVotesDeps {
  readonly ask: Ask;
  readonly operator: Operator;
  readonly history: History;
  readonly random: Random;
  readonly runOf: (op: Op) => string;
}

/** An operator looks whether the click had an effect before the next one. */
const CLICK_AGAIN_MS = 3000;

export function createOddVotes({ ask, operator, history, random, runOf }: OddVotesDeps): OddVotes {
  function isFirstApproval(op: Op, { json }: Answer): boolean {
    const { pauseId, pending } = json as { pauseId: string; pending: Pending[] };
    return (
      (op.clicked === undefined || op.clicked.pauseId === pauseId) &&
      pending.every((call) => call.kind === 'APPROVAL')
    );
  }

  /** An operator decides, often with a second click that is too many; again where it was lost. */
  async function click(op: Op, { json }: Answer): Promise<void> {
    const { pauseId } = json as { pauseId: string };
    const [runId = ''] = op.runIds;
    if (op.clicked !== undefined && Date.now() - op.clicked.at < CLICK_AGAIN_MS)
      return void (await sleep(200));
    const action = random.chance(0.75) ? 'APPROVE' : 'REJECT';
    const clicks = random.chance(0.5) ? 2 : 1;
    op.clicked = { pauseId, at: Date.now() };
    await Promise.all(Array.from({ length: clicks }, () => operator.click(runId, action)));
  }

  /** What was meant for an earlier pause, and what was meant for none, decide nothing of this one. */
  async function votePast(op: Op, { json }: Answer): Promise<void> {
    const { pauseId, pending } = json as { pauseId: string; pending: Pending[] };
    const past = op.votes.find((vote) => vote.pauseId !== pauseId);
    if (past === undefined || op.triedPast?.includes(pauseId)) return;
    op.triedPast = [...(op.triedPast ?? []), pauseId];
    const other = past.action === 'APPROVE' ? 'REJECT' : 'APPROVE';
    const bodies = [{ action: 'APPROVE' }, { pauseId: past.pauseId, action: other }];
    for (const [n, body] of bodies.entries()) {
      const told = await ask({
        ...{ what: 'vote-past', org: op.org, method: 'POST', path: `${runOf(op)}/continue` },
        ...{ op: op.id, body, headers: { prefer: 'wait=0' } },
        ...(random.chance(0.5) ? { key: `${op.id} past ${n} ${pauseId}` } : {}),
      });
      if (told === undefined || [409, 412, 428, 503].includes(told.status)) continue;
      history.found(
        'past-votes-decide-nothing',
        `${op.id}: ${JSON.stringify(body)} was ${told.status} with ${pending.length} calls of ${pauseId} open`,
      );
    }
  }

  return { isFirstApproval, click, votePast };
}
