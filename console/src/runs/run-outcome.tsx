// Where a run stands, and how it ended.

import { Card, Group, Stack, Text, Typography } from '@mantine/core';
import Markdown from 'react-markdown';
import type { Run } from '../api/types.ts';
import { Citations } from '../text/citations.tsx';
import { Notice } from '../text/notice.tsx';
import styles from './run-outcome.module.css';
import { StatusBadge } from '../text/status-badge.tsx';

export function RunOutcome({ run }: { run: Run }) {
  return (
    <Card withBorder padding="md" component="section" aria-label="The run" aria-live="polite">
      <Stack gap="sm">
        <Group gap="xs">
          <StatusBadge status={run.status} />
          <Text size="sm">{sentence(run)}</Text>
        </Group>
        {run.heldBy === 'operator' && (
          <Notice kind="warning">
            An operator holds this run in Temporal. It goes on when they let it.
          </Notice>
        )}
        {run.status === 'COMPLETED' && <Answer text={run.content} />}
        <Citations of={run.metadata.citations ?? []} label="What was read" />
        {run.error !== undefined && (
          <Notice kind="error" title={run.error.code}>
            {run.error.message}
          </Notice>
        )}
      </Stack>
    </Card>
  );
}

/** Markdown of a model's: no raw HTML, and images only as links, so that reading it asks nothing of anybody. */
export function Answer({ text }: { text: string }) {
  return (
    <Typography p={0} className={styles['answer'] ?? ''}>
      <Markdown
        components={{
          img: ({ src, alt }) => <span>[image: {alt === '' || !alt ? String(src) : alt}]</span>,
          a: ({ href, children }) => (
            <a href={href} rel="noreferrer noopener" target="_blank">
              {children}
            </a>
          ),
        }}
      >
        {text}
      </Markdown>
    </Typography>
  );
}

function sentence(run: Run): string {
  switch (run.status) {
    case 'QUEUED':
      return 'It has not begun: another run of its session is ahead, or a worker is awaited.';
    case 'RUNNING':
      return run.waitingFor === undefined
        ? 'It is under way.'
        : `It waits for its model: ${run.waitingFor.lastProblem}`;
    case 'PAUSED':
      return 'People have to decide before it goes on.';
    case 'COMPLETED':
      return 'The agent has answered:';
    case 'FAILED':
      return 'It ended without an answer.';
    case 'CANCELLED':
      return 'It was cancelled. What was not yet dispatched has not happened.';
  }
}
