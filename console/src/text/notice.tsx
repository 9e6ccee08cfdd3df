// Something the person has to be told: read aloud by screen readers when it appears.

import { Alert } from '@mantine/core';
import type { ReactNode } from 'react';

const COLOR = { info: 'blue', warning: 'yellow', error: 'red', done: 'green' } as const;

export function Notice({
  kind,
  title,
  children,
}: {
  kind: keyof typeof COLOR;
  title?: string;
  children: ReactNode;
}) {
  return (
    <Alert
      color={COLOR[kind]}
      variant="outline"
      role={kind === 'error' ? 'alert' : 'status'}
      {...(title === undefined ? {} : { title })}
    >
      {children}
    </Alert>
  );
}
