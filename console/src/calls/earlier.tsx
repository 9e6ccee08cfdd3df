// What was decided on the same tool in this run before: a near repeat of a rejected call is seen as
// one.

import { Card, Stack, Text } from '@mantine/core';
import type { PendingCall } from '../api/types.ts';
import { Time } from '../text/time.tsx';
import { decidedBy } from './decided-by.ts';
import { ArgumentView } from './argument-view.tsx';

export function Earlier({ call }: { call: PendingCall }) {
  if (call.earlier === undefined || call.earlier.length === 0) return null;
  return (
    <Stack gap="xs" component="section" aria-label="Earlier decisions on this tool">
      <Text size="sm" fw={600}>
        Earlier in this run
      </Text>
      {call.earlier.map((one) => (
        <Card key={`${one.callId} ${one.at}`} withBorder padding="xs">
          <Text size="sm">
            {decidedBy(one.action, one.by)} <Time at={one.at} />
            {one.reason !== undefined && `: ${one.reason}`}
          </Text>
          {one.callId !== call.callId && <ArgumentView given={one.arguments} />}
        </Card>
      ))}
    </Stack>
  );
}
