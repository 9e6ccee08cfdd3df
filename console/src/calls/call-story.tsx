// What led to a call: the question, what the model said it was thinking, and the calls before.
// None of it is instructions to the reader: the model's words are marked as its own.

import { Card, Stack, Text, Title } from '@mantine/core';
import type { PendingCall, Run } from '../api/types.ts';
import styles from './call-page.module.css';
import { Conversation } from './conversation.tsx';
import { VisibleText } from '../text/visible-text.tsx';

/** What the user wrote, as they wrote it. */
export function Question({ run }: { run: Run }) {
  return (
    <div>
      <Text size="sm" fw={600}>
        {run.userId} asked
      </Text>
      <VisibleText text={run.input} />
    </div>
  );
}

/** `open`: the call while it waits; what stands with it is not said again. */
export function CallStory({
  run,
  callId,
  open,
}: {
  run: Run;
  callId: string;
  open: PendingCall | undefined;
}) {
  const before = run.tools.filter((tool) => tool.callId !== callId);
  const steps = run.reasoningSteps.filter((step) => step !== open?.modelText);
  return (
    <Card
      withBorder
      padding="md"
      component="section"
      aria-labelledby="story"
      className={styles['story'] ?? ''}
    >
      <Stack gap="sm">
        <Title order={2} size="h4" id="story">
          What led to it
        </Title>
        <Conversation run={run} />
        {open === undefined && <Question run={run} />}
        {steps.length > 0 && (
          <div>
            <Text size="sm" fw={600}>
              The model’s own words (it may be wrong)
            </Text>
            {steps.map((step, index) => (
              <div key={index}>
                <VisibleText text={step} dimmed />
              </div>
            ))}
          </div>
        )}
        {before.length > 0 && (
          <div>
            <Text size="sm" fw={600}>
              Other calls of this run
            </Text>
            {before.map((tool) => (
              <Text size="sm" key={tool.callId} component="div">
                <b>{tool.name}</b> <VisibleText text={JSON.stringify(tool.arguments)} />
                {' → '}
                <VisibleText text={tool.result === '' ? '(empty)' : tool.result} dimmed />
              </Text>
            ))}
          </div>
        )}
      </Stack>
    </Card>
  );
}
