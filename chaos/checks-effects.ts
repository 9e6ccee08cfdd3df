// What the sink received, against what the ledger, the decisions and the audit say: once at most,
// approved before, as approved, and nothing after a rejection or a cancellation.

import { argumentsHash } from '../test/rig/arguments-hash.ts';
import type { AuditRow, CallRow, Evidence } from './evidence.ts';
import { groupBy } from './group-by.ts';
import { GUARDED, HONOURS_KEY, type Delivery } from './sink.ts';

export interface Stop {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Between the last look at the claim and the first byte on the wire: milliseconds, and what a busy
 * machine and a delayed commit add. A process that is stopped within it and woken later is the
 * stated window that only a receiver honouring the key closes.
 */
const WINDOW_MS = 1000;

interface Matched {
  readonly delivery: Delivery;
  readonly call: CallRow;
}

export type Problems = ReadonlyMap<string, readonly string[]>;

export function checkEffects(
  evidence: Evidence,
  deliveries: readonly Delivery[],
  stops: readonly Stop[],
): Problems {
  const problems = new Map<string, string[]>([
    ...(['every-delivery-has-its-key', 'effects-at-most-once', 'unknown-is-surfaced'] as const).map(
      (rule) => [rule, []] as [string, string[]],
    ),
    ...(
      ['approved-before-effect', 'no-dispatch-after-the-end', 'no-effect-after-cancel'] as const
    ).map((r) => [r, []] as [string, string[]]),
  ]);
  const say = (rule: string, what: string): void => void problems.get(rule)?.push(what);

  const matched: Matched[] = [];
  for (const delivery of deliveries) {
    const [runId = '', callId = ''] = delivery.key.split(':');
    const call = evidence.calls.get(callId);
    if (call === undefined || call.run_id !== runId || call.name !== delivery.tool)
      say('every-delivery-has-its-key', `${delivery.tool} "${delivery.key}" ${delivery.body}`);
    else matched.push({ delivery, call });
  }

  for (const [callId, group] of groupBy(matched, ({ call }) => call.call_id)) {
    const [first] = group;
    if (first === undefined) continue;
    const { call } = first;
    const story = storyOf(group, evidence.audit.get(call.run_id) ?? []);
    const decisions = evidence.decisions.get(callId) ?? [];
    const approvals = decisions.filter((d) => d.kind === 'APPROVAL' && d.action === 'APPROVE');
    const askedAgain = decisions.filter((d) => d.kind === 'OUTCOME_UNKNOWN');
    const again = askedAgain.filter((d) => d.action === 'APPROVE').length;
    const effects = group.filter(({ delivery }) => delivery.effect).length;
    if (effects > (HONOURS_KEY.has(call.name) ? 1 : 1 + again))
      say(
        'effects-at-most-once',
        `${call.name} ${call.run_id}:${callId}: ${effects} effects, ${again} approved repeats; ${story}`,
      );
    if (!HONOURS_KEY.has(call.name) && group.length > 1 + again)
      say(
        'effects-at-most-once',
        `${call.name} ${call.run_id}:${callId}: ${group.length} deliveries, ${again} approved repeats`,
      );

    const unanswered = group.some(({ delivery }) =>
      ['drop', 'killed', 'slow'].includes(delivery.fault ?? ''),
    );
    if (
      !HONOURS_KEY.has(call.name) &&
      unanswered &&
      askedAgain.length === 0 &&
      ['SUCCEEDED', 'FAILED'].includes(call.state)
    )
      say(
        'unknown-is-surfaced',
        `${call.name} ${call.run_id}:${callId} is ${call.state} although its answer was lost; ${story}`,
      );

    if (GUARDED.has(call.name))
      for (const { delivery } of group) {
        const hash = argumentsHash({
          ...{ org: call.org_id, runId: call.run_id, callId, tool: call.name },
          ...{ toolVersion: call.tool_version, arguments: delivery.body },
        });
        const fits = approvals.some((d) => d.arguments_hash === hash && d.at_ms <= delivery.at + 1);
        if (!fits)
          say(
            'approved-before-effect',
            `${call.name} ${call.run_id}:${callId} ${delivery.body}: ${approvals.length} approvals`,
          );
      }
    checkCancelled(evidence.audit.get(call.run_id) ?? [], group, stops, say);
  }

  for (const [runId, lines] of evidence.audit) {
    const end = lines.find((line) =>
      ['run.completed', 'run.failed', 'run.cancelled'].includes(line.action),
    );
    const late = end && lines.find((line) => line.action === 'call.dispatched' && line.id > end.id);
    if (late) say('no-dispatch-after-the-end', `${runId}: ${late.call_id} after ${end.action}`);
  }
  return problems;
}

/** What happened to one call, in order: for whoever has to find out why. */
function storyOf(group: readonly Matched[], audit: readonly AuditRow[]): string {
  const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 23);
  const callId = group[0]?.call.call_id;
  const lines = [
    ...group.map(({ delivery: d }) => ({
      at: d.at,
      text: `received from ${d.worker}${d.fault === null ? '' : `, ${d.fault}`}`,
    })),
    ...audit
      .filter((line) => line.call_id === null || line.call_id === callId)
      .map((line) => ({ at: line.at_ms, text: line.action })),
  ];
  return lines
    .sort((a, b) => a.at - b.at)
    .map(({ at, text }) => `${clock(at)} ${text}`)
    .join(' | ');
}

function checkCancelled(
  audit: readonly AuditRow[],
  group: readonly Matched[],
  stops: readonly Stop[],
  say: (rule: string, what: string) => void,
): void {
  const cancelled = audit.find((line) => line.action === 'run.cancelled');
  if (cancelled === undefined) return;
  for (const { delivery, call } of group) {
    if (delivery.at <= cancelled.at_ms + WINDOW_MS) continue;
    const dispatched = audit.findLast(
      (line) => line.action === 'call.dispatched' && line.call_id === call.call_id,
    );
    // Stopped since its last look, and written as soon as it went on.
    const stopped = stops.some(
      (stop) =>
        stop.name === delivery.worker &&
        stop.from < delivery.at &&
        stop.to > (dispatched?.at_ms ?? 0) &&
        delivery.at <= stop.to + WINDOW_MS,
    );
    if (!stopped)
      say(
        'no-effect-after-cancel',
        `${call.run_id}:${call.call_id}: ${Math.round(delivery.at - cancelled.at_ms)} ms after the cancel`,
      );
  }
}
