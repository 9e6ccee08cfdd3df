// Talking to an agent: choose one, write, watch its answer come, and follow it through a pause in
// the same view. Messages of one conversation share a session.

import { Anchor, Button, Card, Group, Select, Stack, Text, Textarea, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { v4 as uuid } from 'uuid';
import { sentenceOf } from '../api/api.ts';
import type { Agent } from '../api/types.ts';
import { RunOutcome } from '../runs/run-outcome.tsx';
import { Timeline } from '../runs/timeline.tsx';
import { useRun } from '../runs/use-run.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Notice } from '../text/notice.tsx';

export function TryPage() {
  const { api } = useConsole();
  const [agentId, setAgentId] = useState<string | null>(null);
  const [sessionId, setSessionId] = useState(() => uuid());
  const [message, setMessage] = useState('');
  const [runIds, setRunIds] = useState<readonly string[]>([]);
  const [problem, setProblem] = useState<string>();
  const [sending, setSending] = useState(false);
  const agents = useQuery({
    queryKey: ['agents', 'active'],
    queryFn: ({ signal }) => api.get<readonly Agent[]>('/api/agents', signal),
  });
  const chosen = agents.data?.find((agent) => agent.id === agentId);

  async function send(): Promise<void> {
    if (agentId === null || message.trim() === '') return;
    setSending(true);
    setProblem(undefined);
    try {
      const started = await api.post<{ runId: string }>(
        `/api/agents/${agentId}/runs/background`,
        { message, sessionId },
        { 'Idempotency-Key': uuid() },
      );
      setRunIds([...runIds, started.runId]);
      setMessage('');
    } catch (error) {
      setProblem(sentenceOf(error));
    }
    setSending(false);
  }
  function another(id: string | null): void {
    setAgentId(id);
    setSessionId(uuid());
    setRunIds([]);
  }

  return (
    <Stack>
      <Title order={1} size="h2">
        Try an agent
      </Title>
      <Select
        label="Agent"
        data={agents.data?.map(({ id, name }) => ({ value: id, label: name })) ?? []}
        value={agentId}
        onChange={another}
        {...(chosen === undefined ? {} : { description: chosen.description ?? '' })}
      />
      {runIds.map((runId) => (
        <Exchange key={runId} runId={runId} />
      ))}
      {problem !== undefined && <Notice kind="error">{problem}</Notice>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Textarea
          label="Message"
          autosize
          minRows={2}
          maxRows={12}
          value={message}
          onChange={(event) => setMessage(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void send();
          }}
        />
        <Group mt="sm">
          <Button
            type="submit"
            loading={sending}
            disabled={agentId === null || message.trim() === ''}
          >
            Send
          </Button>
          {runIds.length > 0 && (
            <Button variant="default" onClick={() => another(agentId)}>
              A new conversation
            </Button>
          )}
        </Group>
      </form>
    </Stack>
  );
}

function Exchange({ runId }: { runId: string }) {
  const { run, frames, error } = useRun(runId);
  if (error !== null) return <Notice kind="error">{sentenceOf(error)}</Notice>;
  if (run === undefined) return null;
  return (
    <Card withBorder padding="sm">
      <Stack gap="sm">
        <Timeline run={run} items={frames.items.filter((item) => item.kind !== 'end')} />
        {run.status !== 'COMPLETED' && <RunOutcome run={run} />}
        {run.pending?.map((call) => (
          <Notice key={call.callId} kind="warning" title={`${call.name} waits for a decision`}>
            <Anchor href={linkTo.call(runId, call.callId)}>Look at it</Anchor>
          </Notice>
        ))}
        <Text size="xs">
          <Anchor href={linkTo.run(runId)}>This run by itself</Anchor>
        </Text>
      </Stack>
    </Card>
  );
}
