// What a run of the program comes to: a line a fault, a line a check, and the counts.

import type { Injected } from './injected.ts';
import { groupBy } from './group-by.ts';
import type { History, Op } from './history.ts';
import type { Fault } from './schedule.ts';
import { isScripted, RESTARTED_MS, TAKEN_OVER_MS, troublesOf, type Trouble } from './troubles.ts';

export interface Outcome {
  readonly fault: Fault;
  readonly at: number;
  readonly result: Injected;
}

export interface Check {
  readonly rule: string;
  readonly problems: readonly string[];
}

/**
 * Of the work that must have been done, so that refusing everything does not pass: for ten minutes.
 */
const FLOOR = { runs: 300, approvals: 80, cancels: 30 } as const;
const INJECTED_SHARE = 0.95;

/** From the injection to the first run that was asked for after it and settled. */
export function recoveryMs(at: number, ops: readonly Op[]): number | undefined {
  const settled = ops
    .filter((op) => op.invokedAt >= at && op.settledAt !== undefined)
    .map((op) => (op.settledAt ?? 0) - at);
  return settled.length === 0 ? undefined : Math.min(...settled);
}

/**
 * When the fault, and all that overlap it or follow within its bound, are over: what runs into the
 * next one has no bound of its own.
 */
function overAt(of: Trouble, troubles: readonly Trouble[], boundMs: number): number {
  let over = of.to;
  for (const next of troubles.toSorted((a, b) => a.from - b.from))
    if (next.to > over && next.from <= over + boundMs) over = next.to;
  return over;
}

/**
 * Whether somebody else does the work of what is away: then the bound counts from the fault's
 * beginning, else from its end.
 */
const TAKEN_OVER: readonly string[] = ['kill-worker', 'stop-worker', 'after-effect-before-record'];

/** Why a fault was recovered from too late; undefined where it was in time. */
export function recoveryProblem(
  of: Trouble,
  troubles: readonly Trouble[],
  ops: readonly Op[],
  restartMs: number,
): string | undefined {
  const took = recoveryMs(of.from, ops);
  if (took === undefined) return 'no run that was asked for after it settled';
  const others = troubles.filter((one) => one !== of && !isScripted(one.kind));
  const alone = !others.some((one) => one.from <= of.from + TAKEN_OVER_MS && of.from <= one.to);
  const takenOver = alone && TAKEN_OVER.includes(of.kind);
  const bound = takenOver
    ? TAKEN_OVER_MS
    : overAt(of, others, RESTARTED_MS) - of.from + restartMs + RESTARTED_MS;
  return took <= bound
    ? undefined
    : `recovered after ${(took / 1000).toFixed(1)} s, at most ${(bound / 1000).toFixed(1)} s`;
}

export function reportFaults(
  outcomes: readonly Outcome[],
  ops: readonly Op[],
  restartMs: number,
): Check {
  const problems: string[] = [];
  const troubles = troublesOf(outcomes);
  console.log(
    '\nfault                        injected  observed                                        recovered after',
  );
  for (const [kind, group] of groupBy(outcomes, ({ fault }) => fault.fault)) {
    const injected = group.filter(({ result }) => result.injected);
    const times = injected.map(({ at }) => recoveryMs(at, ops));
    const seen = group.map(({ result }) => (result.injected ? result.observed : result.why));
    const worst = times.includes(undefined)
      ? 'never'
      : times.length === 0
        ? ''
        : `${(Math.max(...times.map((ms) => ms ?? 0)) / 1000).toFixed(1)} s`;
    const skipped = group.every(({ result }) => !result.injected && result.skipped);
    const count = skipped ? 'skipped' : `${injected.length} of ${group.length}`;
    console.log(
      `${kind.padEnd(28)} ${count.padEnd(9)} ${(seen[0] ?? '').slice(0, 46).padEnd(47)} ${worst}`,
    );
    for (const text of seen.slice(1)) console.log(`${''.padEnd(38)} ${text.slice(0, 100)}`);
    for (const of of troubles.filter((one) => one.kind === kind)) {
      const problem = recoveryProblem(of, troubles, ops, restartMs);
      if (problem !== undefined) problems.push(`${kind}: ${problem}`);
    }
  }
  return { rule: 'recovers-from-every-fault', problems };
}

export function checkFloor(
  outcomes: readonly Outcome[],
  ops: readonly Op[],
  approvals: number,
  seconds: number,
): Check {
  const scale = seconds / 600;
  const wanted = outcomes.filter(({ result }) => result.injected || !result.skipped);
  const injected = wanted.filter(({ result }) => result.injected).length;
  const runs = ops.filter((op) => op.settledAt !== undefined).length;
  const cancels = ops.filter((op) => op.cancelAckedAt !== undefined).length;
  const asked = ops.reduce((sum, op) => sum + op.unknownAsked, 0);
  console.log(
    `\n${ops.length} runs asked for, ${runs} settled, ${approvals} approvals, ${cancels} cancels, ${asked} unknown outcomes asked about, ${injected} of ${wanted.length} faults injected`,
  );
  const enough = (what: string, is: number, least: number): string[] =>
    is >= least ? [] : [`${what}: ${is}, at least ${least}`];
  return {
    rule: 'floor-of-work',
    problems: [
      ...enough('runs', runs, Math.floor(FLOOR.runs * scale)),
      ...enough('approvals', approvals, Math.floor(FLOOR.approvals * scale)),
      ...enough('cancels', cancels, Math.floor(FLOOR.cancels * scale)),
      ...enough(
        'faults injected',
        injected,
        wanted.length < 20 ? wanted.length : Math.ceil(wanted.length * INJECTED_SHARE),
      ),
    ],
  };
}

export function merge(
  parts: readonly ReadonlyMap<string, readonly string[]>[],
  history: History,
  rules: readonly string[],
): readonly Check[] {
  const all = new Map<string, string[]>(rules.map((rule) => [rule, []]));
  for (const part of [...parts, history.findings])
    for (const [rule, problems] of part) all.set(rule, [...(all.get(rule) ?? []), ...problems]);
  return [...all].map(([rule, problems]) => ({ rule, problems }));
}

const SHOWN = 5;

/** Prints the verdict; true when nothing failed. */
export function conclude(checks: readonly Check[]): boolean {
  console.log('');
  for (const { rule, problems } of checks) {
    console.log(
      `${problems.length === 0 ? 'ok    ' : 'FAILED'} ${rule}${problems.length === 0 ? '' : `: ${problems.length} violations`}`,
    );
    for (const problem of problems.slice(0, SHOWN))
      console.log(`         ${problem.slice(0, 1200)}`);
  }
  const failed = checks.filter((check) => check.problems.length > 0).length;
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  return failed === 0;
}
