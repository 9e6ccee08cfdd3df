// What waits for this person, oldest first.

import { Anchor, Badge, Card, Group, Stack, Switch, Text, Title } from '@mantine/core';
import { useState } from 'react';
import type { WaitingCall } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Notice } from '../text/notice.tsx';
import { Time } from '../text/time.tsx';
import { VisibleText } from '../text/visible-text.tsx';
import { useInbox } from './use-inbox.ts';
import { whoElse } from './who-else.ts';
import { chime } from './alerts.ts';
import type { AlertSettings } from './alert-settings.ts';

export function InboxPage({ alerts }: { alerts: AlertSettings }) {
  const { items, connection, problem } = useInbox();
  const { me } = useConsole();
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">
          Waiting for you
        </Title>
        <AlertSwitches alerts={alerts} />
      </Group>
      {problem !== undefined && (
        <Notice kind="error" title="The inbox cannot be shown">
          {me.scopes.has('runs:approve')
            ? problem
            : 'Your token lacks the scope runs:approve: you see runs, but nothing waits for you.'}
        </Notice>
      )}
      {problem === undefined && connection === 'connecting' && (
        <Notice kind="info">Connecting. What is shown may be older.</Notice>
      )}
      {items.length === 0 && connection === 'live' && (
        <Card withBorder padding="xl">
          <Text ta="center">Nothing waits for you.</Text>
          <Text ta="center" size="sm" c="dimmed">
            What others decide is in the <Anchor href={linkTo.runs}>list of runs</Anchor>, under
            “Waiting for a decision”.
          </Text>
        </Card>
      )}
      <Stack component="ul" gap="sm" p={0} m={0} aria-label="Calls that wait for you">
        {items.map((item) => (
          <Waiting key={`${item.pauseId} ${item.callId}`} item={item} />
        ))}
      </Stack>
    </Stack>
  );
}

function Waiting({ item }: { item: WaitingCall }) {
  const unknown = item.kind === 'OUTCOME_UNKNOWN';
  return (
    <Card
      component="li"
      withBorder
      padding="md"
      style={{ listStyle: 'none' }}
      data-testid="waiting"
    >
      <Stack gap={6}>
        <Group gap="xs">
          <Anchor href={linkTo.call(item.runId, item.callId)} fw={600}>
            {unknown ? `Did ${item.name} happen?` : `${item.agentId} wants to use ${item.name}`}
          </Anchor>
          {item.risk === 'high' && (
            <Badge color="red" variant="filled" tt="none" autoContrast>
              High risk
            </Badge>
          )}
          {unknown && (
            <Badge color="yellow" variant="filled" tt="none" autoContrast>
              Outcome unknown
            </Badge>
          )}
        </Group>
        <Text size="sm" component="div">
          <VisibleText text={preview(item)} />
        </Text>
        <Text size="xs" c="dimmed">
          For {item.userId} · asked <Time at={item.requestedAt} />
          {item.expiresAt !== null && (
            <>
              {' '}
              · expires <Time at={item.expiresAt} />
            </>
          )}
          {' · '}
          {whoElse(item)}
        </Text>
      </Stack>
    </Card>
  );
}

/** The sentence, or the first arguments in a line: the whole is one click away. */
function preview({ summary, arguments: given }: WaitingCall): string {
  if (summary !== undefined) return summary;
  const text = Object.entries(given)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' · ');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function AlertSwitches({ alerts }: { alerts: AlertSettings }) {
  const [refused, setRefused] = useState(false);
  async function notifications(on: boolean): Promise<void> {
    if (on && (await Notification.requestPermission()) !== 'granted') return setRefused(true);
    alerts.setNotify(on);
  }
  return (
    <Group gap="md">
      <Switch
        label="Sound"
        checked={alerts.sound}
        onChange={(event) => {
          const on = event.currentTarget.checked;
          alerts.setSound(on);
          // What it will sound like.
          if (on) chime();
        }}
      />
      {'Notification' in window && (
        <Switch
          label="Notifications"
          checked={alerts.notify}
          onChange={(event) => void notifications(event.currentTarget.checked)}
          {...(refused ? { description: 'Your browser does not allow them for this page.' } : {})}
        />
      )}
    </Group>
  );
}
