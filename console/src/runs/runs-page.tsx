// Runs that this person may see, newest first, by state and agent; and what of them waits for
// others.

import {
  Anchor,
  Button,
  Card,
  Group,
  Loader,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Title,
} from '@mantine/core';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { query, sentenceOf } from '../api/api.ts';
import type { Agent, Page, Run, RunStatus } from '../api/types.ts';
import { whoElse } from '../inbox/who-else.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Notice } from '../text/notice.tsx';
import { StatusBadge } from '../text/status-badge.tsx';
import { Time } from '../text/time.tsx';
import { VisibleText } from '../text/visible-text.tsx';

const FILTERS = {
  all: { label: 'All', status: '' },
  waiting: { label: 'Waiting for a decision', status: 'PAUSED' },
  open: { label: 'Under way', status: 'QUEUED,RUNNING' },
  ended: { label: 'Ended', status: 'COMPLETED,CANCELLED' },
  failed: { label: 'Failed', status: 'FAILED' },
} as const;
type Filter = keyof typeof FILTERS;

type Counts = Readonly<Record<RunStatus, number>>;

export function RunsPage() {
  const { api } = useConsole();
  const [filter, setFilter] = useState<Filter>('all');
  const [agentId, setAgentId] = useState<string | null>(null);
  const agents = useQuery({
    queryKey: ['agents'],
    queryFn: ({ signal }) => api.get<readonly Agent[]>('/api/agents?includeInactive=true', signal),
  });
  const counts = useQuery({
    queryKey: ['counts', agentId],
    queryFn: ({ signal }) =>
      api.get<Counts>(`/api/runs/counts${query({ agentId: agentId ?? undefined })}`, signal),
    refetchInterval: 10_000,
  });
  const runs = useInfiniteQuery({
    queryKey: ['runs', filter, agentId],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      api.get<Page<Run>>(
        `/api/runs${query({
          limit: '20',
          status: FILTERS[filter].status,
          agentId: agentId ?? undefined,
          after: pageParam,
        })}`,
        signal,
      ),
    getNextPageParam: (page) => (page.hasMore ? (page.nextCursor ?? undefined) : undefined),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  });
  const found = runs.data?.pages.flatMap((page) => page.data) ?? [];
  return (
    <Stack>
      <Title order={1} size="h2">
        Runs
      </Title>
      <SegmentedControl
        orientation={matchMedia('(max-width: 40em)').matches ? 'vertical' : 'horizontal'}
        aria-label="By state"
        value={filter}
        onChange={(value) => setFilter(value as Filter)}
        data={Object.entries(FILTERS).map(([value, { label, status }]) => ({
          value,
          label: withCount(label, status, counts.data),
        }))}
      />
      <Select
        label="Agent"
        placeholder="All agents"
        clearable
        data={agents.data?.map(({ id, name }) => ({ value: id, label: name })) ?? []}
        value={agentId}
        onChange={setAgentId}
      />
      {runs.error !== null && <Notice kind="error">{sentenceOf(runs.error)}</Notice>}
      {runs.isPending && <Loader aria-label="Loading" />}
      {runs.isSuccess && found.length === 0 && <Text>There are none.</Text>}
      <Stack component="ul" gap="sm" p={0} m={0} aria-label="Runs" style={{ listStyle: 'none' }}>
        {found.map((run) => (
          <RunCard key={run.runId} run={run} />
        ))}
      </Stack>
      {runs.hasNextPage && (
        <Button
          variant="default"
          loading={runs.isFetchingNextPage}
          onClick={() => void runs.fetchNextPage()}
        >
          Older ones
        </Button>
      )}
    </Stack>
  );
}

function withCount(label: string, status: string, counts: Counts | undefined): string {
  if (counts === undefined || status === '') return label;
  const sum = status.split(',').reduce((n, one) => n + counts[one as RunStatus], 0);
  return `${label} (${sum})`;
}

function RunCard({ run }: { run: Run }) {
  return (
    <Card component="li" withBorder padding="sm">
      <Group justify="space-between" gap="xs">
        <Anchor href={linkTo.run(run.runId)} fw={600}>
          {run.agentId} for {run.userId}
        </Anchor>
        <StatusBadge status={run.status} />
      </Group>
      <Text size="sm" component="div" lineClamp={2}>
        <VisibleText text={run.input.slice(0, 300)} />
      </Text>
      {run.pending?.map((call) => (
        <Text size="sm" key={call.callId}>
          <Anchor href={linkTo.call(run.runId, call.callId)}>{call.name}</Anchor>{' '}
          {call.youMay === false ? `waits for others: ${whoElse(call)}` : 'waits for you'}
        </Text>
      ))}
      <Text size="xs" c="dimmed">
        <Time at={run.createdAt} />
      </Text>
    </Card>
  );
}
