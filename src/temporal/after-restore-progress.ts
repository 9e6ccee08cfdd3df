// How far a workflow has come, read from its history: the results that it has. A record that
// lacks any of it is older than the workflow. Reads histories of this release and the ones before;
// what it cannot read counts as progress that the record lacks.

import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { HistoryEvent } from './after-restore-client.ts';
import { isTerminal } from '../contract/names.ts';
import type { CallOutcome, PauseState, Settled, TurnReply } from '../contract/turn.ts';
import type { RestoredRun } from '../store/after-restore.ts';

export interface Progress {
  /** Model turns whose reply the workflow has. */
  readonly turns: ReadonlySet<number>;
  /** By call, what its last completed execution came to; undefined while it is scheduled. */
  readonly calls: ReadonlyMap<string, CallOutcome['kind'] | undefined>;
  /** By pause, whether the workflow knows its decision. */
  readonly pauses: ReadonlyMap<string, boolean>;
  readonly ended: boolean;
}

interface Scheduled {
  readonly type: string;
  readonly input: { readonly turn?: number; readonly callId?: string };
}

const decode = <T>(payload: Payload | null | undefined): T =>
  payload == null ? (undefined as T) : defaultPayloadConverter.fromPayload<T>(payload);

export function progressOf(events: readonly HistoryEvent[]): Progress {
  const turns = new Set<number>();
  const calls = new Map<string, CallOutcome['kind'] | undefined>();
  const pauses = new Map<string, boolean>();
  const scheduled = new Map<string, Scheduled>();
  let ended = false;

  function completed(
    type: string,
    input: Scheduled['input'],
    result: Payload | null | undefined,
  ): void {
    if (type === 'callModel') {
      // A model that was away has replied nothing: the same turn is asked again.
      const { kind } = decode<TurnReply>(result);
      if (kind !== 'ENDED' && kind !== 'AWAY' && input.turn !== undefined) turns.add(input.turn);
    } else if (type === 'runTool') {
      if (input.callId !== undefined) calls.set(input.callId, decode<CallOutcome>(result).kind);
    } else if (type === 'settleRun') {
      const settled = decode<Settled>(result);
      if (settled.pause !== undefined) pauses.set(settled.pause.pauseId, false);
      ended ||= isTerminal(settled.status);
    } else if (type === 'claimDecision') {
      const last = [...pauses.keys()].at(-1);
      if (last !== undefined && decode<PauseState>(result).kind === 'DECIDED')
        pauses.set(last, true);
    }
  }

  for (const event of events) {
    const asked = event.activityTaskScheduledEventAttributes;
    if (asked) {
      const one: Scheduled = {
        type: asked.activityType?.name ?? '',
        input: decode(asked.input?.payloads?.[0]) ?? {},
      };
      scheduled.set(String(event.eventId), one);
      if (one.type === 'runTool' && one.input.callId !== undefined)
        calls.set(one.input.callId, undefined);
    }
    const done = event.activityTaskCompletedEventAttributes;
    const from = done ? scheduled.get(String(done.scheduledEventId)) : undefined;
    if (done && from) completed(from.type, from.input, done.result?.payloads?.[0]);
    const marker = event.markerRecordedEventAttributes;
    if (marker?.markerName === 'core_local_activity') {
      const about = decode<{ activity_type?: string }>(marker.details?.['data']?.payloads?.[0]);
      const result = marker.details?.['result']?.payloads?.[0];
      // A failed one has no result; the regular activity that follows it has.
      if (result) completed(about?.activity_type ?? '', {}, result);
    }
  }
  return { turns, calls, pauses, ended };
}

const ANSWERED: readonly string[] = ['SUCCEEDED', 'FAILED', 'REJECTED', 'LEFT'];

/**
 * What the workflow knows and the record does not, as words; undefined where the record has
 * everything.
 */
export function missingInRecord(progress: Progress, run: RestoredRun): string | undefined {
  if (progress.ended) return 'the workflow has settled its end';
  for (const turn of progress.turns)
    if (!run.turns.includes(turn)) return `the model's reply of turn ${turn}`;
  const states = new Map(run.calls.map((call) => [call.callId, call.state]));
  for (const [callId, outcome] of progress.calls) {
    const state = states.get(callId);
    if (state === undefined) return `the call ${callId}`;
    if (outcome === 'DONE' && !ANSWERED.includes(state)) return `the outcome of ${callId}`;
    if (outcome === 'UNKNOWN' && (state === 'PROPOSED' || state === 'DISPATCHING'))
      return `that the outcome of ${callId} is unknown`;
  }
  for (const [pauseId, decided] of progress.pauses) {
    const pause = run.pauses.find((one) => one.pauseId === pauseId);
    if (pause === undefined) return `the pause ${pauseId}`;
    if (decided && pause.open) return `the decision of ${pauseId}`;
  }
  return undefined;
}
