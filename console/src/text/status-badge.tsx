// The state of a run, by word and colour; the word alone is enough.

import { Badge, ColorSwatch } from '@mantine/core';
import type { RunStatus } from '../api/types.ts';

const COLOR: Readonly<Record<RunStatus, string>> = {
  QUEUED: 'gray',
  RUNNING: 'blue',
  PAUSED: 'orange',
  COMPLETED: 'green',
  FAILED: 'red',
  CANCELLED: 'gray',
};
const WORD: Readonly<Record<RunStatus, string>> = {
  QUEUED: 'Queued',
  RUNNING: 'Running',
  PAUSED: 'Waiting for a decision',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
};

export function StatusBadge({ status }: { status: RunStatus }) {
  return (
    <Badge
      variant="default"
      tt="none"
      leftSection={<ColorSwatch size={8} color={`var(--mantine-color-${COLOR[status]}-6)`} />}
    >
      {WORD[status]}
    </Badge>
  );
}
