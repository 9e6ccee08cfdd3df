// One base: its documents as they are taken in, files to add, and a search as an agent does it.

import {
  Anchor,
  Badge,
  Button,
  Card,
  FileButton,
  Group,
  Loader,
  Progress,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { query, sentenceOf } from '../api/api.ts';
import type { Base, KnownDocument, Page, SearchAnswer } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Notice } from '../text/notice.tsx';
import { Time } from '../text/time.tsx';
import { VisibleText } from '../text/visible-text.tsx';

const pathOf = (baseId: string): string => `/api/knowledge/${encodeURIComponent(baseId)}`;
const TAKEN = '.txt,.md,.html,.htm,.pdf,text/plain,text/markdown,text/html,application/pdf';

export function BasePage({ baseId }: { baseId: string }) {
  const { api, me } = useConsole();
  const base = useQuery({
    queryKey: ['base', baseId],
    queryFn: ({ signal }) => api.get<Base>(pathOf(baseId), signal),
  });
  const mayWrite = me.scopes.has('knowledge:write');
  return (
    <Stack>
      <Anchor href={linkTo.knowledge} size="sm">
        All bases
      </Anchor>
      <Title order={1} size="h2">
        <VisibleText text={base.data?.name ?? baseId} />
      </Title>
      {base.error !== null && <Notice kind="error">{sentenceOf(base.error)}</Notice>}
      {base.isSuccess && (
        <>
          <SearchBox baseId={baseId} />
          {mayWrite && <Upload baseId={baseId} />}
          <Documents baseId={baseId} mayWrite={mayWrite} />
        </>
      )}
    </Stack>
  );
}

function SearchBox({ baseId }: { baseId: string }) {
  const { api } = useConsole();
  const [question, setQuestion] = useState('');
  const [asked, setAsked] = useState('');
  const found = useQuery({
    queryKey: ['search', baseId, asked],
    enabled: asked !== '',
    queryFn: ({ signal }) =>
      api.get<SearchAnswer>(`${pathOf(baseId)}/search${query({ query: asked })}`, signal),
  });
  const ask = (event: FormEvent): void => {
    event.preventDefault();
    setAsked(question.trim());
  };
  return (
    <Card withBorder padding="md" component="section" aria-label="Search">
      <form onSubmit={ask}>
        <Group align="end">
          <TextInput
            label="Search as an agent does"
            placeholder="A question, or words"
            style={{ flex: 1 }}
            value={question}
            onChange={(event) => setQuestion(event.currentTarget.value)}
          />
          <Button type="submit" disabled={question.trim() === ''}>
            Search
          </Button>
        </Group>
      </form>
      {found.error !== null && <Notice kind="error">{sentenceOf(found.error)}</Notice>}
      {found.isSuccess && (
        <Stack gap="sm" mt="sm" role="status">
          <Text size="sm" c="dimmed">
            {found.data.data.length === 0 ? 'Nothing was found' : 'Best first'}, by{' '}
            {found.data.mode === 'hybrid' ? 'words and meaning' : 'words alone'}.
          </Text>
          {found.data.data.map((hit) => (
            <Card withBorder padding="sm" key={hit.passageId}>
              <Text fw={600} component="div">
                <VisibleText text={hit.title} />
              </Text>
              <Text size="sm" component="div" lineClamp={6}>
                <VisibleText text={hit.text} />
              </Text>
            </Card>
          ))}
        </Stack>
      )}
    </Card>
  );
}

function Upload({ baseId }: { baseId: string }) {
  const { api } = useConsole();
  const queries = useQueryClient();
  const [problems, setProblems] = useState<readonly string[]>([]);
  const [sending, setSending] = useState(0);
  async function send(files: readonly File[]): Promise<void> {
    setProblems([]);
    // One after the other: the server takes only so much of one person at once.
    for (const [i, file] of files.entries()) {
      setSending(files.length - i);
      const body = new FormData();
      body.set('file', file);
      try {
        await api.open(`${pathOf(baseId)}/documents`, { method: 'POST', body });
      } catch (error) {
        setProblems((before) => [...before, `${file.name}: ${sentenceOf(error)}`]);
      }
      await queries.invalidateQueries({ queryKey: ['documents', baseId] });
    }
    setSending(0);
  }
  return (
    <Stack gap="xs">
      <FileButton multiple accept={TAKEN} onChange={(files) => void send(files)}>
        {(props) => (
          <Button {...props} loading={sending > 0}>
            Add files
          </Button>
        )}
      </FileButton>
      <Text size="xs" c="dimmed">
        Text, Markdown, HTML and PDF, at most 20 MiB each.
        {sending > 0 && ` Sending; ${sending} to go.`}
      </Text>
      {problems.map((problem) => (
        <Notice kind="error" key={problem}>
          {problem}
        </Notice>
      ))}
    </Stack>
  );
}

function Documents({ baseId, mayWrite }: { baseId: string; mayWrite: boolean }) {
  const { api } = useConsole();
  const documents = useInfiniteQuery({
    queryKey: ['documents', baseId],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      api.get<Page<KnownDocument>>(
        `${pathOf(baseId)}/documents${query({ limit: '50', after: pageParam })}`,
        signal,
      ),
    getNextPageParam: (page) => (page.hasMore ? (page.nextCursor ?? undefined) : undefined),
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.data.some((d) => d.status === 'PROCESSING'))
        ? 1000
        : 15_000,
  });
  const found = documents.data?.pages.flatMap((page) => page.data) ?? [];
  return (
    <>
      {documents.error !== null && <Notice kind="error">{sentenceOf(documents.error)}</Notice>}
      {documents.isPending && <Loader aria-label="Loading" />}
      {documents.isSuccess && found.length === 0 && <Text>There are no documents yet.</Text>}
      <Stack
        component="ul"
        gap="sm"
        p={0}
        m={0}
        aria-label="Documents"
        style={{ listStyle: 'none' }}
      >
        {found.map((one) => (
          <DocumentCard key={one.documentId} baseId={baseId} document={one} mayWrite={mayWrite} />
        ))}
      </Stack>
      {documents.hasNextPage && (
        <Button
          variant="default"
          loading={documents.isFetchingNextPage}
          onClick={() => void documents.fetchNextPage()}
        >
          Older ones
        </Button>
      )}
    </>
  );
}

const WORD = { PROCESSING: 'Being taken in', READY: 'Ready', FAILED: 'Failed' } as const;

function DocumentCard({
  baseId,
  document,
  mayWrite,
}: {
  baseId: string;
  document: KnownDocument;
  mayWrite: boolean;
}) {
  const { api } = useConsole();
  const queries = useQueryClient();
  const [problem, setProblem] = useState<string>();
  async function remove(): Promise<void> {
    try {
      await api.remove(`${pathOf(baseId)}/documents/${document.documentId}`);
      await queries.invalidateQueries({ queryKey: ['documents', baseId] });
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  }
  return (
    <Card component="li" withBorder padding="sm">
      <Group justify="space-between" gap="xs">
        <Text fw={600} component="div">
          <VisibleText text={document.title} />
        </Text>
        <Badge variant="default" tt="none">
          {WORD[document.status]}
        </Badge>
      </Group>
      {document.status === 'PROCESSING' && (
        <Progress
          mt="xs"
          value={100 * (document.progress ?? 0)}
          aria-label={`${document.title}: how much is done`}
        />
      )}
      {document.error !== undefined && <Text size="sm">{document.error.message}</Text>}
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          <Time at={document.createdAt} />
        </Text>
        {mayWrite && (
          <Button
            size="xs"
            variant="default"
            aria-label={`Delete ${document.title}`}
            onClick={() => void remove()}
          >
            Delete
          </Button>
        )}
      </Group>
      {problem !== undefined && <Notice kind="error">{problem}</Notice>}
    </Card>
  );
}
