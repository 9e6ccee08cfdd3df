// The only way from a line of a run's record to a frame: the same for every reader, live, joined or
// replayed.

import type { Frame } from '../../contract/frame.ts';
import { assertNever } from '../../contract/names.ts';
import { writePosition } from '../../contract/position.ts';
import { isDelta, positionOf, type Line, type EventLine } from '../../store/events/read.ts';
import type { CallRecord } from '../../store/queries/call-record.ts';
import type { RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import { presentRun } from './present.ts';
import { presentPending } from './present-pending.ts';

export interface IdentifiedFrame {
  readonly id: string;
  readonly frame: Frame;
}

/**
 * undefined for a line that is no frame. `run`, as it is: for a STOP, which is the whole of it,
 * and a PAUSED, which shows who may decide.
 */
export function presentLine(
  line: Line,
  viewer: Viewer,
  run?: RunRecord,
): IdentifiedFrame | undefined {
  const shown = isDelta(line)
    ? ({
        event: line.kind === 'CONTENT' ? 'CONTENT_DELTA' : 'REASONING_DELTA',
        data: line.text,
      } as const)
    : presentEvent(line, viewer, run);
  if (shown === undefined) return undefined;
  const { event, data } = shown;
  return {
    id: writePosition(positionOf(line)),
    frame: { event, data, timestamp: line.at.getTime(), turn: line.turn } as Frame,
  };
}

type PresentedFrame = { [E in Frame as E['event']]: Pick<E, 'event' | 'data'> }[Frame['event']];

function presentEvent(
  event: EventLine,
  viewer: Viewer,
  run: RunRecord | undefined,
): PresentedFrame | undefined {
  const { kind } = event;
  switch (kind) {
    case 'ATTEMPT':
    case 'RESUMED':
      return undefined;
    case 'FOLLOW_UPS':
      return { event: 'CONTENT_DELTA', data: String(event.data['text']) };
    case 'PAUSED':
      return run && { event: kind, data: pauseOf(event, run, viewer) };
    case 'STOP':
      return run && { event: kind, data: presentRun(run, viewer) };
    case 'CANCELLED':
      return { event: kind, data: {} };
    case 'START':
    case 'TOOL_START':
    case 'TOOL_END':
    case 'RETRY':
    case 'WAITING':
    case 'RETRIED':
    case 'ERROR':
      // Written as they are shown.
      return { event: kind, data: event.data } as PresentedFrame;
    default:
      return assertNever(kind);
  }
}

/** Where neither the line nor the run, which may be cut, has who decides: not everybody. */
const NO_DECIDERS = { guarded: true, approvers: [] } as const;

/**
 * As it was at the pause, not as it is now. The policy is the run's, which never changes;
 * lines of an earlier release do not hold it.
 */
function pauseOf(
  { data, at }: EventLine,
  run: RunRecord,
  viewer: Viewer,
): Extract<PresentedFrame, { event: 'PAUSED' }>['data'] {
  const { pauseId, calls } = data as { pauseId: string; calls: readonly CallRecord[] };
  const policyOf = new Map(
    run.calls.map(({ callId, guarded, approvers, approversAlso = null }) => [
      callId,
      { guarded, approvers, approversAlso },
    ]),
  );
  const pending = calls.map((call) =>
    presentPending(run, { ...NO_DECIDERS, ...call, ...policyOf.get(call.callId) }, viewer, at),
  );
  return { pauseId, pending };
}
