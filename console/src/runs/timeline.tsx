// A run as it went, from its first message to its end, live while it goes on.

import { Anchor, Badge, Card, Group, Stack, Text } from '@mantine/core';
import type { Run } from '../api/types.ts';
import { ArgumentView } from '../calls/argument-view.tsx';
import { decidedBy } from '../calls/decided-by.ts';
import { linkTo } from '../shell/route.ts';
import { seconds, Time } from '../text/time.tsx';
import { VisibleText } from '../text/visible-text.tsx';
import { Answer } from './run-outcome.tsx';
import type { TimelineItem } from './timeline-items.ts';

export function Timeline({ run, items }: { run: Run; items: readonly TimelineItem[] }) {
  return (
    <Stack
      component="ol"
      gap="sm"
      p={0}
      m={0}
      aria-label="What happened"
      style={{ listStyle: 'none' }}
    >
      <Step head={`${run.userId} asked`} at={Date.parse(run.createdAt)}>
        <VisibleText text={run.input} />
      </Step>
      {items.map((item) => (
        <Item key={item.id} run={run} item={item} />
      ))}
    </Stack>
  );
}

function Step({
  head,
  at,
  children,
}: {
  head: React.ReactNode;
  at: number;
  children?: React.ReactNode;
}) {
  return (
    <Card component="li" withBorder padding="sm">
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={600} component="div">
          {head}
        </Text>
        <Text size="xs" c="dimmed" component="time" dateTime={new Date(at).toISOString()}>
          {new Date(at).toLocaleString()}
        </Text>
      </Group>
      {children}
    </Card>
  );
}

function Item({ run, item }: { run: Run; item: TimelineItem }) {
  switch (item.kind) {
    case 'text':
      return (
        <Step head={run.agentId} at={item.at}>
          <Answer text={item.text} />
        </Step>
      );
    case 'thought':
      return (
        <Step head={`${run.agentId} thought`} at={item.at}>
          <VisibleText text={item.text} dimmed />
        </Step>
      );
    case 'call':
      return <CallStep run={run} item={item} />;
    case 'pause':
      return (
        <Step head="People are asked" at={item.at}>
          {item.pending.map((call) => (
            <Text size="sm" key={call.callId} component="div">
              <Anchor href={linkTo.call(run.runId, call.callId)}>{call.name}</Anchor>
              <Votes run={run} callId={call.callId} />
            </Text>
          ))}
        </Step>
      );
    case 'model-away':
      return (
        <Step head="Waits for its model" at={item.at}>
          <Text size="sm">{item.problem}</Text>
        </Step>
      );
    case 'attempt':
      return (
        <Step
          head={`Attempt ${item.n} of this turn: the model’s reply had broken off`}
          at={item.at}
        />
      );
    case 'note':
      return <Step head={item.text} at={item.at} />;
    case 'end':
      return (
        <Step
          at={item.at}
          head={
            <Badge variant="default" tt="none">
              {item.text}
            </Badge>
          }
        />
      );
  }
}

/** While it is open; what it came to stands at the call. */
function Votes({ run, callId }: { run: Run; callId: string }) {
  const votes = run.pending?.find((call) => call.callId === callId)?.votes ?? [];
  return votes.map((vote) => (
    <div key={`${vote.by} ${vote.at}`}>
      {vote.by} {vote.action === 'APPROVE' ? 'approved' : 'rejected'} <Time at={vote.at} />
    </div>
  ));
}

function CallStep({ run, item }: { run: Run; item: Extract<TimelineItem, { kind: 'call' }> }) {
  const entry = run.tools.find((tool) => tool.callId === item.callId);
  const decision = entry?.decision;
  // Rejected, or taken back: there is nothing that could have failed.
  const notRun =
    decision !== undefined && decision.action !== 'APPROVE' && entry?.outcome === undefined;
  return (
    <Step
      at={item.at}
      head={
        <Group gap="xs">
          <span>{item.name}</span>
          {notRun && (
            <Badge variant="default" tt="none">
              not used
            </Badge>
          )}
          {item.isError === true && !notRun && (
            <Badge color="red" variant="filled" tt="none" autoContrast>
              error
            </Badge>
          )}
          {entry?.outcome === 'UNKNOWN' && (
            <Badge color="yellow" variant="filled" tt="none" autoContrast>
              outcome unknown
            </Badge>
          )}
          {entry !== undefined && !notRun && (
            <Text span size="xs" c="dimmed">
              {seconds(entry.durationMs)}
              {entry.httpStatus !== undefined && ` · HTTP ${entry.httpStatus}`}
            </Text>
          )}
        </Group>
      }
    >
      {decision !== undefined && (
        <Text size="sm">
          {decidedBy(decision.action, decision.by)}, {new Date(decision.at).toLocaleString()}
          {decision.proposedArguments !== undefined && ', with other details than proposed'}
          {decision.reason !== undefined && `: ${decision.reason}`}
        </Text>
      )}
      <ArgumentView given={item.arguments} />
      {item.result !== undefined && (
        <Text size="sm" component="div" mt="xs">
          → <VisibleText text={item.result === '' ? '(empty)' : item.result} dimmed />
        </Text>
      )}
    </Step>
  );
}
