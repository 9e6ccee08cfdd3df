// What was said in the session before this run, as far as who looks may read it: an approver sees
// the conversation that led to the call.

import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Run } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { VisibleText } from '../text/visible-text.tsx';

interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
  readonly runId: string;
}

/** The latest are nearest to the call. */
const SHOWN = 10;

export function Conversation({ run }: { run: Run }) {
  const { api } = useConsole();
  const session = useQuery({
    queryKey: ['session', run.sessionId],
    queryFn: ({ signal }) =>
      api.get<{ messages: readonly Message[] }>(`/api/sessions/${run.sessionId}`, signal),
    retry: false,
  });
  const messages = session.data?.messages ?? [];
  const until = messages.findIndex((message) => message.runId === run.runId);
  const before = (until < 0 ? messages : messages.slice(0, until)).slice(-SHOWN);
  if (before.length === 0) return null;
  return (
    <div>
      <Text size="sm" fw={600}>
        Said before
      </Text>
      {before.map((message, index) => (
        <Text size="sm" key={index} component="div">
          <b>{message.role === 'user' ? run.userId : run.agentId}</b>:{' '}
          <VisibleText text={message.content} dimmed={message.role === 'assistant'} />
        </Text>
      ))}
    </div>
  );
}
