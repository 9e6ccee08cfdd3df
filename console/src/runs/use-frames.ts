// The event stream of a run, from its beginning, as a timeline that grows. Goes on after a cut
// connection from where it was.

import { useEffect, useState } from 'react';
import { readEvents } from '../../../client/sse.ts';
import { ApiProblem, type Api } from '../api/api.ts';
import { useConsole } from '../shell/context.ts';
import { fold, type StreamFrame, type TimelineItem } from './timeline-items.ts';

export interface RunFrames {
  readonly items: readonly TimelineItem[];
  /** Counts what is no mere delta: the run itself may have changed. */
  readonly changes: number;
}

const NONE: RunFrames = { items: [], changes: 0 };
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 10_000;
const ENDS: ReadonlySet<string> = new Set(['STOP', 'CANCELLED']);

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
    follow(api, runId, leaving.signal, take).catch(() => undefined);
    return () => {
      leaving.abort();
      cancelAnimationFrame(drawn);
    };
  }, [api, runId, token]);
  return frames;
}

async function follow(
  api: Api,
  runId: string,
  signal: AbortSignal,
  take: (frame: StreamFrame) => void,
): Promise<void> {
  let after: string | undefined;
  let pause = PAUSE_MS;
  while (!signal.aborted) {
    try {
      let failed = false;
      const headers = after === undefined ? {} : { 'Last-Event-ID': after };
      const response = await api.open(`/api/runs/${runId}/stream`, { signal, headers });
      if (response.status === 204 || response.body === null) return;
      for await (const { id, data } of readEvents(response.body)) {
        const frame = { ...(JSON.parse(data) as Omit<StreamFrame, 'id'>), id };
        after = id;
        pause = PAUSE_MS;
        take(frame);
        if (ENDS.has(frame.event)) return;
        failed = frame.event === 'ERROR';
      }
      // The run may have been taken up after an ERROR: only the stream's end says that it was not.
      if (failed) return;
    } catch (error) {
      if (error instanceof ApiProblem && error.status < 500 && error.status !== 429) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, PAUSE_MAX_MS);
  }
}
