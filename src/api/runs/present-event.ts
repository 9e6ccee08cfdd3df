// The only way from a line of a run's record to a frame: the same for every reader, live, joined or
// replayed.

import type { Frame } from '../../contract/frame.ts';
import { assertNever } from '../../contract/names.ts';
import { writePosition } from '../../contract/position.ts';
import { isDelta, positionOf, type Line, type EventLine } from '../../store/events/read.ts';
import type { CallRecord, RunRecord } from '../../store/queries/run-record.ts';
import { presentPending, presentRun } from './present.ts';

export interface IdentifiedFrame {
  readonly id: string;
  readonly frame: Frame;
}

/**
 * undefined for a line that is no frame. `run`, as it ended: for a STOP, which is the whole of it.
 */
export function presentLine(line: Line, run?: RunRecord): IdentifiedFrame | undefined {
  const said = isDelta(line)
    ? ({
        event: line.kind === 'CONTENT' ? 'CONTENT_DELTA' : 'REASONING_DELTA',
        data: line.text,
      } as const)
    : presentEvent(line, run);
  if (said === undefined) return undefined;
  const { event, data } = said;
  return {
    id: writePosition(positionOf(line)),
    frame: { event, data, timestamp: line.at.getTime(), turn: line.turn } as Frame,
  };
}

type Said = { [E in Frame as E['event']]: Pick<E, 'event' | 'data'> }[Frame['event']];

function presentEvent(event: EventLine, run: RunRecord | undefined): Said | undefined {
  const { kind } = event;
  switch (kind) {
    case 'ATTEMPT':
    case 'RESUMED':
      return undefined;
    case 'FOLLOW_UPS':
      return { event: 'CONTENT_DELTA', data: String(event.data['text']) };
    case 'PAUSED':
      return { event: kind, data: pauseOf(event) };
    case 'STOP':
      return run && { event: kind, data: presentRun(run) };
    case 'CANCELLED':
      return { event: kind, data: {} };
    case 'START':
    case 'TOOL_START':
    case 'TOOL_END':
    case 'RETRY':
    case 'ERROR':
      // Written as they are shown.
      return { event: kind, data: event.data } as Said;
    default:
      return assertNever(kind);
  }
}

function pauseOf({ data, at }: EventLine): Extract<Said, { event: 'PAUSED' }>['data'] {
  const { pauseId, quorum, calls } = data as {
    pauseId: string;
    quorum: number;
    calls: readonly CallRecord[];
  };
  return { pauseId, pending: calls.map((call) => presentPending({ quorum, updatedAt: at }, call)) };
}
