// What is remembered of this person: to look through, to add to, and to have forgotten.

import { Button, Card, Group, Loader, Stack, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { query, sentenceOf } from '../api/api.ts';
import type { Memory, Page } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { Notice } from '../text/notice.tsx';
import { Time } from '../text/time.tsx';
import { VisibleText } from '../text/visible-text.tsx';

const PATH = '/api/memories';

export function MemoriesPage() {
  const { api, me } = useConsole();
  const queries = useQueryClient();
  const [fact, setFact] = useState('');
  const [problem, setProblem] = useState<string>();
  const memories = useInfiniteQuery({
    queryKey: ['memories'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      api.get<Page<Memory>>(`${PATH}${query({ limit: '50', after: pageParam })}`, signal),
    getNextPageParam: (page) => (page.hasMore ? (page.nextCursor ?? undefined) : undefined),
  });
  const found = memories.data?.pages.flatMap((page) => page.data) ?? [];
  async function change(work: Promise<unknown>): Promise<void> {
    setProblem(undefined);
    try {
      await work;
      await queries.invalidateQueries({ queryKey: ['memories'] });
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  }
  const add = (event: FormEvent): void => {
    event.preventDefault();
    void change(api.post(PATH, { content: fact }).then(() => setFact('')));
  };
  return (
    <Stack>
      <Title order={1} size="h2">
        What is remembered of you
      </Title>
      <Text>
        Agents that remember tell these to the model when they fit your message. Nobody else’s
        conversation sees them.
      </Text>
      {memories.error !== null && <Notice kind="error">{sentenceOf(memories.error)}</Notice>}
      {problem !== undefined && <Notice kind="error">{problem}</Notice>}
      {memories.isPending && <Loader aria-label="Loading" />}
      {memories.isSuccess && found.length === 0 && <Text>Nothing is remembered of you.</Text>}
      <Stack
        component="ul"
        gap="sm"
        p={0}
        m={0}
        aria-label="Memories"
        style={{ listStyle: 'none' }}
      >
        {found.map((memory) => (
          <Card component="li" withBorder padding="sm" key={memory.memoryId}>
            <VisibleText text={memory.content} />
            <Group justify="space-between">
              <Text size="xs" c="dimmed">
                <Time at={memory.createdAt} />
              </Text>
              {me.scopes.has('runs:write') && (
                <Button
                  size="xs"
                  variant="default"
                  aria-label={`Forget: ${memory.content.slice(0, 80)}`}
                  onClick={() => void change(api.remove(`${PATH}/${memory.memoryId}`))}
                >
                  Forget
                </Button>
              )}
            </Group>
          </Card>
        ))}
      </Stack>
      {memories.hasNextPage && (
        <Button
          variant="default"
          loading={memories.isFetchingNextPage}
          onClick={() => void memories.fetchNextPage()}
        >
          Older ones
        </Button>
      )}
      {me.scopes.has('runs:write') && (
        <form onSubmit={add}>
          <Group align="end">
            <TextInput
              label="Something to remember"
              style={{ flex: 1 }}
              value={fact}
              onChange={(event) => setFact(event.currentTarget.value)}
            />
            <Button type="submit" disabled={fact.trim() === ''}>
              Remember
            </Button>
          </Group>
        </form>
      )}
    </Stack>
  );
}
