// The event stream of a run, from its beginning, as a timeline that grows. Goes on after a cut
// connection from where it was.

import { useEffect, useState } from 'react';
import { followAlways } from '../api/follow-always.ts';
import { useConsole } from '../shell/context.ts';
import { fold, type StreamFrame, type TimelineItem } from './timeline-items.ts';

export interface RunFrames {
  readonly items: readonly TimelineItem[];
  /** Counts what is no mere delta: the run itself may have changed. */
  readonly changes: number;
}

const NONE: RunFrames = { items: [], changes: 0 };

/** A failed run may be taken up again: only the stream's end says that it was not. */
const placeOf = ({ event }: StreamFrame): 'MORE' | 'LAST' | 'LAST_SO_FAR' =>
  event === 'STOP' || event === 'CANCELLED' ? 'LAST' : event === 'ERROR' ? 'LAST_SO_FAR' : 'MORE';

export function useFrames(runId: string): RunFrames {
  const { api, token } = useConsole();
  const [frames, setFrames] = useState<RunFrames>(NONE);
  useEffect(() => {
    const leaving = new AbortController();
    let state = NONE;
    let drawn = 0;
    const take = (frame: StreamFrame): void => {
      const delta = frame.event === 'CONTENT_DELTA' || frame.event === 'REASONING_DELTA';
      state = { items: fold(state.items, frame), changes: state.changes + (delta ? 0 : 1) };
      // Deltas come faster than a page can be drawn.
      drawn ||= requestAnimationFrame(() => {
        drawn = 0;
        setFrames(state);
      });
    };
    followAlways<StreamFrame>(api, {
      path: `/api/runs/${runId}/stream`,
      signal: leaving.signal,
      placeOf,
      onFrame: take,
    }).catch(() => undefined);
    return () => {
      leaving.abort();
      cancelAnimationFrame(drawn);
    };
  }, [api, runId, token]);
  return frames;
}
