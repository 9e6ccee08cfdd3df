// The eight clients: each starts a run, repeats the request under the same key until it knows, and
// follows the run to its end: votes, cancels, reads. Who runs out of deadline leaves the rest to
// the settling after the load, which does the same for every open run.

import { setTimeout as sleep } from 'node:timers/promises';
import type { History, Op } from './history.ts';
import { messageOf } from './model.ts';
import { drawKind, drawPlan, type Drawn } from './plans.ts';
import { createOddVotes, type Pending } from './odd-votes.ts';
import type { Operator } from './operator.ts';
import type { Random } from '../test/rig/random.ts';
import { canaryOf, type Answer, type Ask } from './requests.ts';
import { ORGS } from './world.ts';

export const CLIENTS = 8;
const PATIENCE_MS = 20_000;
/** Given up before it was acknowledged: nobody knows whether it exists. */
const START_PATIENCE_MS = 45_000;
const CUT_SHARE = 0.15;
const RUNS_PATH = '/api/agents/chaos/runs';

export const isTerminal = (status: unknown): boolean =>
  status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';

export interface Clients {
  /** One client until `until` says that the load is over. */
  readonly client: (n: number, over: () => boolean) => Promise<void>;
  /** Once round for a run that has begun; true when it has ended. */
  readonly follow: (op: Op) => Promise<boolean>;
}

export interface ClientsDeps {
  readonly ask: Ask;
  readonly operator: Operator;
  readonly history: History;
  readonly random: Random;
  /** Only runs of these kinds. */
  readonly only?: readonly string[] | undefined;
}

export function createClients({ ask, operator, history, random, only }: ClientsDeps): Clients {
  const plans = new Map<string, Drawn>();
  let count = 0;

  function learn(op: Op, answer: Answer): void {
    const { runId, status } = answer.json as { runId?: unknown; status?: unknown };
    if (typeof runId === 'string') op.runIds.add(runId);
    if (op.runIds.size > 1)
      history.found('one-key-one-run', `${op.id}: ${[...op.runIds].join(' ')}`);
    if (typeof status !== 'string') return;
    if (isTerminal(op.status) && status !== op.status)
      history.found('terminal-never-changes', `${op.id}: ${op.status}, then ${status}`);
    op.status = status;
    if (isTerminal(status) || status === 'PAUSED') op.settledAt ??= Date.now();
  }

  async function start(op: Op, plan: Drawn): Promise<void> {
    const background = random.chance(0.5);
    const body = {
      message: messageOf(plan, canaryOf(op.org)),
      ...(op.sessionId === undefined ? {} : { sessionId: op.sessionId }),
    };
    const path = background ? `${RUNS_PATH}/background` : RUNS_PATH;
    const headers = background ? {} : { prefer: 'wait=4' };
    for (const end = Date.now() + START_PATIENCE_MS; Date.now() < end; await sleep(150)) {
      const answer = await ask({
        what: 'start',
        org: op.org,
        method: 'POST',
        path,
        op: op.id,
        body,
        key: op.id,
        headers,
        cutShare: CUT_SHARE,
      });
      if (answer === undefined || answer.status === 503 || answer.status === 401) continue;
      if (answer.status === 409) return void (op.refused = true);
      if (answer.status !== 200 && answer.status !== 202)
        return history.found(
          'only-declared-answers',
          `${op.id} start: ${answer.status} ${JSON.stringify(answer.json)}`,
        );
      op.ackedAt = Date.now();
      learn(op, answer);
      return;
    }
  }

  const runOf = (op: Op): string => `${RUNS_PATH}/${[...op.runIds][0] ?? ''}`;
  const odd = createOddVotes({ ask, operator, history, random, runOf });

  async function read(op: Op, waitS: number): Promise<Answer | undefined> {
    const answer = await ask({
      what: 'read',
      org: op.org,
      method: 'GET',
      path: `${runOf(op)}?wait=${waitS}`,
      op: op.id,
    });
    if (answer?.status === 404)
      history.found('acknowledged-is-there', `${op.id}: 404 for ${runOf(op)}`);
    if (answer?.status !== 200) return undefined;
    const { status, pending } = answer.json as { status?: string; pending?: readonly unknown[] };
    if (status === 'PAUSED' && (pending ?? []).length === 0)
      history.found('paused-has-something-pending', `${op.id}: ${runOf(op)}`);
    learn(op, answer);
    return answer;
  }

  async function vote(op: Op, answer: Answer): Promise<void> {
    const { pauseId, pending } = answer.json as { pauseId: string; pending: Pending[] };
    const unknown = pending.filter((call) => call.kind === 'OUTCOME_UNKNOWN');
    op.unknownAsked += unknown.length;
    // One in three is done again, by a person who names call and pause; the others are left.
    const action =
      unknown.length > 0
        ? random.chance(0.34)
          ? 'APPROVE'
          : 'REJECT'
        : op.kind === 'reject'
          ? 'REJECT'
          : 'APPROVE';
    const exact = unknown.length > 0 || random.chance(0.5);
    const decisions = pending.map(({ callId, kind, argumentsHash }) => ({
      callId,
      action,
      ...(kind === 'APPROVAL' ? { argumentsHash } : {}),
    }));
    const request = {
      ...({
        what: 'vote',
        org: op.org,
        method: 'POST',
        path: `${runOf(op)}/continue`,
        op: op.id,
      } as const),
      ...{
        body: exact ? { pauseId, decisions } : { pauseId, action },
        key: `${op.id} ${pauseId}`,
        headers: { prefer: 'wait=3' },
      },
    };
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(150)) {
      const told = await ask({ ...request, cutShare: CUT_SHARE });
      if (told === undefined || told.status === 503 || told.status === 401) continue;
      if (told.status === 200 || told.status === 202) {
        for (const { callId } of pending) op.votes.push({ callId, pauseId, action });
        return learn(op, told);
      }
      if (told.status !== 409)
        history.found(
          'only-declared-answers',
          `${op.id} vote: ${told.status} ${JSON.stringify(told.json)}`,
        );
      return;
    }
  }

  async function cancel(op: Op): Promise<void> {
    op.cancelAsked = true;
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(150)) {
      const told = await ask({
        what: 'cancel',
        org: op.org,
        method: 'DELETE',
        path: runOf(op),
        op: op.id,
        cutShare: CUT_SHARE,
      });
      if (told === undefined || told.status === 503 || told.status === 401) continue;
      if (told.status !== 204)
        return history.found(
          'only-declared-answers',
          `${op.id} cancel: ${told.status} ${JSON.stringify(told.json)}`,
        );
      op.cancelAckedAt = Date.now();
      const next = await read(op, 0);
      if (next !== undefined && !isTerminal(next.json['status']))
        history.found('cancel-stands', `${op.id}: ${String(next.json['status'])} after the 204`);
      return;
    }
  }

  /** After the 204 nothing can be approved any more. */
  async function voteTooLate(op: Op): Promise<void> {
    if (op.cancelAckedAt === undefined) return;
    const path = `${runOf(op)}/continue`;
    const told = await ask({
      what: 'vote',
      org: op.org,
      method: 'POST',
      path,
      op: op.id,
      body: { action: 'APPROVE' },
      key: `${op.id} late`,
    });
    if (told !== undefined && told.status < 300)
      history.found('cancel-stands', `${op.id}: a vote after the 204 was accepted`);
  }

  async function follow(op: Op): Promise<boolean> {
    const plan = plans.get(op.id);
    const wish = plan?.cancel;
    if (wish !== undefined && 'afterMs' in wish && op.cancelAckedAt === undefined) {
      await sleep(Math.max(0, (op.ackedAt ?? 0) + wish.afterMs - Date.now()));
      await cancel(op);
    }
    const answer = await read(op, 3);
    if (answer?.json['status'] !== 'PAUSED') return isTerminal(answer?.json['status']);
    if (wish !== undefined && op.cancelAckedAt === undefined) {
      await cancel(op);
      await voteTooLate(op);
    } else if (op.kind === 'operator' && odd.isFirstApproval(op, answer))
      await odd.click(op, answer);
    else {
      await odd.votePast(op, answer);
      await vote(op, answer);
    }
    return isTerminal(op.status);
  }

  async function one(kind: Op['kind'], org: string, sessionId?: string): Promise<Op> {
    const id = `op-${++count}`;
    const plan = drawPlan(id, kind, random);
    plans.set(id, plan);
    const op: Op = {
      id,
      kind,
      org,
      invokedAt: Date.now(),
      sessionId,
      runIds: new Set(),
      votes: [],
      unknownAsked: 0,
    };
    history.invoke(op);
    await start(op, plan);
    for (
      const end = Date.now() + PATIENCE_MS;
      op.ackedAt !== undefined && Date.now() < end && !(await follow(op));
    )
      await sleep(50);
    return op;
  }

  /** What another org may not see is not there. */
  async function pry(op: Op): Promise<void> {
    const org = ORGS.find((other) => other !== op.org) ?? '';
    const told = await ask({ what: 'read', org, method: 'GET', path: runOf(op), op: op.id });
    if (told !== undefined && ![404, 503, 401].includes(told.status))
      history.found('no-foreign-bytes', `${org} read ${op.id}: ${told.status}`);
  }

  return {
    follow,
    client: async (n, over) => {
      const org = ORGS[n % ORGS.length] ?? ORGS[0];
      while (!over()) {
        const kind = drawKind(random, only);
        if (kind !== 'session') {
          const op = await one(kind, org);
          // A filter that is off shows most where votes make a run visible to more than its user.
          if (op.ackedAt !== undefined && (kind === 'approve' || random.chance(0.1))) await pry(op);
          continue;
        }
        const sessionId = crypto.randomUUID();
        const kinds: Op['kind'][] = random.chance(0.2)
          ? ['approve', 'session', 'session']
          : ['session', 'session', 'session'];
        await Promise.all(kinds.map((each) => one(each, org, sessionId)));
      }
    },
  };
}
