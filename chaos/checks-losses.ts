// What was said to have been done, against the receiver's own record, and what went wrong, against
// the faults of that moment: a record that says SUCCEEDED for what never arrived, a run that FAILED
// and a refusal that nothing explains are losses, however neatly they are written down.

import type { CallRow, Evidence, RunRow } from './evidence.ts';
import type { Problems } from './checks-effects.ts';
import { groupBy } from './group-by.ts';
import type { History, Op, Refusal } from './history.ts';
import { opOf, type ModelFault } from './model.ts';
import type { Click } from './operator.ts';
import type { Delivery } from './sink.ts';
import { during, ofApi, ofModelLink, ofWorker, type Trouble } from './troubles.ts';

export interface Losses {
  readonly evidence: Evidence;
  readonly history: History;
  readonly deliveries: readonly Delivery[];
  readonly troubles: readonly Trouble[];
  /** What the model served each operation instead of its answer. */
  readonly modelFaults: ReadonlyMap<string, ReadonlySet<ModelFault>>;
  readonly clicks: readonly Click[];
}

type Say = (rule: string, what: string) => void;

export function checkLosses(losses: Losses): Problems {
  const problems = new Map<string, string[]>(
    [
      ...['every-success-was-sent', 'every-delivery-is-in-the-ledger', 'completed-skips-nothing'],
      ...['failures-are-explained', 'refusals-are-explained', 'signal-is-for-its-pause'],
    ].map((rule) => [rule, []]),
  );
  const say: Say = (rule, what) => void problems.get(rule)?.push(what);
  checkCalls(losses, say);
  checkClicks(losses, say);
  const ops = new Map(losses.history.ops.map((op) => [op.id, op]));
  for (const run of losses.evidence.runs) {
    const problem = endProblem(losses, run, ops.get(opOf(run.input)));
    if (problem !== undefined) say('failures-are-explained', `${run.run_id}: ${problem}`);
  }
  for (const refusal of losses.history.refusals) {
    const problem = refusalProblem(losses, refusal, ops.get(refusal.op));
    if (problem !== undefined)
      say(
        'refusals-are-explained',
        `${refusal.op} ${refusal.what} ${refusal.status}: ${problem}; ${refusal.detail}`,
      );
  }
  return problems;
}

/** At rest, a call that the record holds as never dispatched has no delivery. */
const NEVER_SENT: readonly string[] = ['PROPOSED', 'APPROVED', 'REJECTED', 'CLOSED'];

/** Of the calls of a run that has come to its answer. */
const ANSWERED: readonly string[] = ['SUCCEEDED', 'FAILED', 'REJECTED', 'LEFT'];

function checkCalls({ evidence, deliveries, troubles }: Losses, say: Say): void {
  const runs = new Map(evidence.runs.map((run) => [run.run_id, run]));
  const byKey = groupBy(deliveries, (delivery) => delivery.key);
  for (const call of evidence.calls.values()) {
    const name = `${call.name} ${call.run_id}:${call.call_id}`;
    const got = byKey.get(`${call.run_id}:${call.call_id}`) ?? [];
    const problem = outcomeProblem(call, got, troubles, evidence);
    if (problem !== undefined) say('every-success-was-sent', `${name} ${problem}`);
    const dispatches = (evidence.audit.get(call.run_id) ?? []).filter(
      (line) => line.action === 'call.dispatched' && line.call_id === call.call_id,
    ).length;
    if (got.length > dispatches)
      say(
        'every-delivery-is-in-the-ledger',
        `${name}: ${got.length} deliveries, ${dispatches} dispatches in the audit`,
      );
    const run = runs.get(call.run_id);
    if (run?.status === 'COMPLETED' && !ANSWERED.includes(call.state))
      say('completed-skips-nothing', `${name} is ${call.state} in a run that is COMPLETED`);
    if (
      run?.closed_ms != null &&
      got.length > 0 &&
      NEVER_SENT.includes(call.state) &&
      call.evidence === null
    )
      say('every-delivery-is-in-the-ledger', `${name} is ${call.state} and was received`);
  }
}

/** A click that Temporal had before a pause was opened decides nothing of that pause. */
function checkClicks({ evidence, clicks }: Losses, say: Say): void {
  for (const pauses of evidence.pauses.values())
    for (const pause of pauses)
      for (const vote of evidence.votes.get(pause.pause_id) ?? []) {
        if (vote.person !== 'operator') continue;
        const meant = clicks.some(
          (click) =>
            click.runId === pause.run_id &&
            click.action === vote.action &&
            click.to >= pause.opened_ms - 1 &&
            click.from <= vote.at_ms + 1,
        );
        if (!meant)
          say(
            'signal-is-for-its-pause',
            `${pause.run_id}: ${vote.action} of ${pause.pause_id}, and nobody clicked in it`,
          );
      }
}

function outcomeProblem(
  call: CallRow,
  got: readonly Delivery[],
  troubles: readonly Trouble[],
  evidence: Evidence,
): string | undefined {
  const result = call.result ?? '';
  const answered = (status: '200' | '500'): boolean =>
    got.some((one) => one.answer === result && (one.fault === '500') === (status === '500'));
  if (call.state === 'SUCCEEDED' && !answered('200'))
    return `SUCCEEDED with "${result.slice(0, 80)}", the receiver answered it ${got.map((one) => one.answer).join(', ') || 'never'}`;
  const dispatched = (evidence.audit.get(call.run_id) ?? []).filter(
    (line) => line.action === 'call.dispatched' && line.call_id === call.call_id,
  );
  const [from, to] = [dispatched[0]?.at_ms ?? 0, (dispatched.at(-1)?.at_ms ?? 0) + 10_000];
  if (call.state === 'FAILED' && !answered('500')) {
    const stalled = result.startsWith('Nothing was sent') && during(troubles, from, to, ofWorker);
    if (!stalled) return `FAILED with "${result.slice(0, 80)}", and nothing explains it`;
  }
  const unsure = call.state === 'UNKNOWN' || call.state === 'LEFT';
  if (unsure && !got.some((one) => one.fault !== null) && !during(troubles, from, to, ofWorker))
    return `${call.state} (${call.evidence ?? ''}), and nothing explains it`;
  return undefined;
}

/** Of a run's end: whoever ended it so, and why. */
function endProblem(
  { evidence, troubles, modelFaults }: Losses,
  run: RunRow,
  op: Op | undefined,
): string | undefined {
  const served = modelFaults.get(opOf(run.input)) ?? new Set<ModelFault>();
  const [from, to] = [run.created_ms, run.closed_ms ?? Infinity];
  if (run.status === 'CANCELLED')
    return op?.cancelAsked === true ? undefined : 'CANCELLED, and nobody asked for it';
  if (run.status !== 'FAILED') return undefined;
  const told = `FAILED ${run.error_code ?? ''} (${run.error_message ?? ''})`;
  switch (run.error_code) {
    case 'MODEL_UNAVAILABLE':
    case 'MODEL_RATE_LIMITED':
    case 'MODEL_REJECTED':
    case 'MODEL_INCOMPLETE':
    case 'OUTPUT_TOO_LARGE':
      return served.size > 0 || during(troubles, from, to, ofModelLink)
        ? undefined
        : `${told}, and its model was well`;
    case 'BUDGET_EXCEEDED': {
      const calls = [...evidence.calls.values()].filter((call) => call.run_id === run.run_id);
      return served.has('loop') || calls.length > 20 || to - from > 200_000
        ? undefined
        : `${told}, after ${Math.round((to - from) / 1000)} s and ${calls.length} calls`;
    }
    case 'TERMINATED':
      return op?.terminated === true ? undefined : `${told}, and nobody terminated it`;
    default:
      return told;
  }
}

function refusalProblem(losses: Losses, refusal: Refusal, op: Op | undefined): string | undefined {
  const { status, what, from, to } = refusal;
  if (status === 503)
    return during(losses.troubles, from, to, ofApi) ? undefined : 'nobody was away';
  if (status === 401) return 'its token was good';
  if (what === 'start') return sessionProblem(losses.evidence, refusal, op);
  if (what === 'vote-past') return undefined; // refused, as it has to be
  if (what === 'vote') return voteProblem(losses.evidence, refusal, op);
  return 'nothing of it can be refused so';
}

function sessionProblem(
  evidence: Evidence,
  { from, to }: Refusal,
  op: Op | undefined,
): string | undefined {
  const paused = evidence.runs
    .filter((run) => run.session_id === op?.sessionId)
    .flatMap((run) => evidence.pauses.get(run.run_id) ?? [])
    .some((pause) => pause.opened_ms <= to && from <= (pause.closed_ms ?? Infinity));
  return paused ? undefined : 'no run of its session was paused';
}

/** Refused for what others did meanwhile; never for one's own vote that stands. */
function voteProblem(
  evidence: Evidence,
  { body, to, org }: Refusal,
  op: Op | undefined,
): string | undefined {
  const runId = [...(op?.runIds ?? [])][0] ?? '';
  const pauses = evidence.pauses.get(runId) ?? [];
  const { pauseId, action, decisions } = (body ?? {}) as {
    pauseId?: string;
    action?: string;
    decisions?: readonly { callId: string; action: string }[];
  };
  const named = pauses.find((pause) => pause.pause_id === pauseId);
  const mine = (evidence.votes.get(pauseId ?? '') ?? []).filter(
    (vote) => vote.person === `ada-${org}`,
  );
  const wanted = decisions ?? mine.map((vote) => ({ callId: vote.call_id, action: action ?? '' }));
  const stands =
    mine.length > 0 &&
    wanted.every((one) =>
      mine.some((vote) => vote.call_id === one.callId && vote.action === one.action),
    );
  if (stands) return 'it stands as it was cast';
  const over = pauses.some(
    (pause) => (named ?? pause) === pause && (pause.closed_ms ?? Infinity) <= to + 1,
  );
  return over ? undefined : 'its pause was open';
}
