// Bases of the org, and a new one.

import { Anchor, Button, Card, Group, Loader, Stack, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { query, sentenceOf } from '../api/api.ts';
import type { Base, Page } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Notice } from '../text/notice.tsx';
import { VisibleText } from '../text/visible-text.tsx';

export function KnowledgePage() {
  const { api, me } = useConsole();
  const bases = useInfiniteQuery({
    queryKey: ['bases'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      api.get<Page<Base>>(`/api/knowledge${query({ limit: '50', after: pageParam })}`, signal),
    getNextPageParam: (page) => (page.hasMore ? (page.nextCursor ?? undefined) : undefined),
  });
  const found = bases.data?.pages.flatMap((page) => page.data) ?? [];
  return (
    <Stack>
      <Title order={1} size="h2">
        Knowledge
      </Title>
      <Text>Bases of documents. An agent searches the bases that its file names.</Text>
      {bases.error !== null && <Notice kind="error">{sentenceOf(bases.error)}</Notice>}
      {bases.isPending && <Loader aria-label="Loading" />}
      {bases.isSuccess && found.length === 0 && <Text>There are none.</Text>}
      <Stack component="ul" gap="sm" p={0} m={0} aria-label="Bases" style={{ listStyle: 'none' }}>
        {found.map((base) => (
          <Card component="li" withBorder padding="sm" key={base.id}>
            <Anchor href={linkTo.base(base.id)} fw={600}>
              <VisibleText text={base.name} />
            </Anchor>
            <Text size="xs" c="dimmed">
              {base.id}
            </Text>
            {base.description !== undefined && (
              <Text size="sm" component="div">
                <VisibleText text={base.description} />
              </Text>
            )}
          </Card>
        ))}
      </Stack>
      {bases.hasNextPage && (
        <Button
          variant="default"
          loading={bases.isFetchingNextPage}
          onClick={() => void bases.fetchNextPage()}
        >
          Older ones
        </Button>
      )}
      {me.scopes.has('knowledge:write') && <NewBase />}
    </Stack>
  );
}

function NewBase() {
  const { api } = useConsole();
  const queries = useQueryClient();
  const [id, setId] = useState('');
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<string>();
  async function make(): Promise<void> {
    setProblem(undefined);
    try {
      await api.post('/api/knowledge', { id, name });
      setId('');
      setName('');
      await queries.invalidateQueries({ queryKey: ['bases'] });
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  }
  return (
    <Card withBorder padding="md" component="section" aria-label="A new base">
      <Stack gap="sm">
        <Group grow align="start">
          <TextInput
            label="Id"
            description="As agent files name it"
            value={id}
            onChange={(event) => setId(event.currentTarget.value)}
          />
          <TextInput
            label="Name"
            description="As people see it"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        </Group>
        {problem !== undefined && <Notice kind="error">{problem}</Notice>}
        <Button onClick={() => void make()} disabled={id === '' || name.trim() === ''}>
          Make a base
        </Button>
      </Stack>
    </Card>
  );
}
