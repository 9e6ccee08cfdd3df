// A run as it stands, read again at each thing that happens to it: its event stream says when.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import type { Run } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { useFrames, type RunFrames } from './use-frames.ts';

export interface RunState {
  readonly run: Run | undefined;
  readonly error: Error | null;
  readonly refresh: () => void;
  readonly frames: RunFrames;
}

export function useRun(runId: string): RunState {
  const { api } = useConsole();
  const queries = useQueryClient();
  const { data, error } = useQuery({
    queryKey: ['run', runId],
    queryFn: ({ signal }) => api.get<Run>(`/api/runs/${runId}`, signal),
    // The stream says when; this is for a vote that changes nothing but its count.
    refetchInterval: (query) => (query.state.data?.status === 'PAUSED' ? 5000 : false),
  });
  const refresh = useCallback(
    () => void queries.invalidateQueries({ queryKey: ['run', runId] }),
    [queries, runId],
  );
  const frames = useFrames(runId);
  const { changes } = frames;
  useEffect(() => {
    if (changes > 0) refresh();
  }, [changes, refresh]);
  return { run: data, error, refresh, frames };
}
