// One run: where it stands, what may be done with it, and how it went.

import { Anchor, Button, Card, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { ApiProblem, sentenceOf } from '../api/api.ts';
import type { Run } from '../api/types.ts';
import { whoElse } from '../inbox/who-else.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Notice } from '../text/notice.tsx';
import { seconds, Time } from '../text/time.tsx';
import { RunOutcome } from './run-outcome.tsx';
import { Timeline } from './timeline.tsx';
import { useRun } from './use-run.ts';

export function RunPage({ runId }: { runId: string }) {
  const { run, error, refresh, frames } = useRun(runId);
  const { settings } = useConsole();
  if (error !== null)
    return (
      <Notice kind="error" title="This run cannot be shown">
        {error instanceof ApiProblem && error.status === 404
          ? 'There is no such run, or you may not see it.'
          : sentenceOf(error)}
      </Notice>
    );
  if (run === undefined) return <Loader aria-label="Loading" />;
  const { metadata } = run;
  return (
    <Stack>
      <Anchor href={linkTo.runs} size="sm">
        ← Runs
      </Anchor>
      <Title order={1} size="h3">
        {run.agentId} for {run.userId}
      </Title>
      <RunOutcome run={run} />
      <Pending run={run} />
      <Actions run={run} onChanged={refresh} />
      <Timeline run={run} items={frames.items} />
      <Card withBorder padding="sm">
        <Text size="xs" c="dimmed" component="div">
          {run.runId} · started <Time at={run.createdAt} />
          {metadata.model !== undefined && ` · ${metadata.model}`} ·{' '}
          {metadata.totalTokens.toLocaleString()} tokens
          {metadata.usageEstimated && ' (estimated)'}
          {isOver(run) && ` · took ${duration(run)}`}
          {settings.workflowsUrl !== null && (
            <>
              {' · '}
              <Anchor
                href={`${settings.workflowsUrl}${run.runId}`}
                target="_blank"
                rel="noreferrer noopener"
              >
                in Temporal
              </Anchor>
            </>
          )}
        </Text>
      </Card>
    </Stack>
  );
}

const isOver = ({ status }: Run): boolean =>
  status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';

/** From the question to the end, its waiting for people included. */
const duration = ({ createdAt, updatedAt }: Run): string =>
  seconds(Date.parse(updatedAt) - Date.parse(createdAt));

function Pending({ run }: { run: Run }) {
  if (run.pending === undefined) return null;
  return (
    <Stack gap="xs" component="section" aria-label="What it waits for">
      {run.pending.map((call) => (
        <Card key={call.callId} withBorder padding="sm">
          <Anchor href={linkTo.call(run.runId, call.callId)} fw={600}>
            {call.youMay === false ? `${call.name} waits for others` : `Decide about ${call.name}`}
          </Anchor>
          <Text size="sm" c="dimmed">
            {call.youMay === false && `${call.whyNot ?? 'You cannot decide it.'} `}
            {sentence(whoElse(call))}
          </Text>
        </Card>
      ))}
    </Stack>
  );
}

const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;

function Actions({ run, onChanged }: { run: Run; onChanged: () => void }) {
  const { api, me } = useConsole();
  const [problem, setProblem] = useState<string>();
  const [sure, setSure] = useState(false);
  const open = run.status === 'QUEUED' || run.status === 'RUNNING' || run.status === 'PAUSED';
  async function act(what: () => Promise<unknown>): Promise<void> {
    setProblem(undefined);
    setSure(false);
    await what().catch((error: unknown) => setProblem(sentenceOf(error)));
    onChanged();
  }
  const path = `/api/runs/${run.runId}`;
  return (
    <>
      {problem !== undefined && <Notice kind="error">{problem}</Notice>}
      <Group>
        {open && me.scopes.has('runs:cancel') && !sure && (
          <Button variant="default" onClick={() => setSure(true)}>
            Cancel this run
          </Button>
        )}
        {sure && (
          <>
            <Button color="red.9" onClick={() => void act(() => api.remove(path))}>
              Yes, cancel it for good
            </Button>
            <Button variant="default" onClick={() => setSure(false)}>
              Let it go on
            </Button>
          </>
        )}
        {run.status === 'FAILED' && me.scopes.has('runs:write') && (
          <>
            <Button
              onClick={() =>
                void act(() => api.post(`${path}/retry`, undefined, { Prefer: 'respond-async' }))
              }
            >
              Take it up again
            </Button>
            <Text size="sm" c="dimmed">
              It goes on from where it failed. What was done is not done again.
            </Text>
          </>
        )}
      </Group>
    </>
  );
}
