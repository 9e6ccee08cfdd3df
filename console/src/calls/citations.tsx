// What the run's searches had found before it asked for this call: documents by their titles.

import { List, Text } from '@mantine/core';
import type { PendingCall } from '../api/types.ts';
import { VisibleText } from '../text/visible-text.tsx';

interface Citation {
  readonly baseId: string;
  readonly documentId: string;
  readonly title: string;
  readonly passageId: string;
}

/** Absent in the answers of an API whose agents search nothing. */
type Cited = PendingCall & { readonly citations?: readonly Citation[] };

export function Citations({ call }: { call: PendingCall }) {
  const { citations = [] }: Cited = call;
  // Several passages of one document are one line.
  const documents = new Map(citations.map((one) => [`${one.baseId} ${one.documentId}`, one]));
  if (documents.size === 0) return null;
  return (
    <section aria-label="Documents it found">
      <Text size="sm" fw={600}>
        It had found, in
      </Text>
      <List size="sm">
        {[...documents].map(([key, { title, baseId }]) => (
          <List.Item key={key}>
            <VisibleText text={title} />{' '}
            <Text span size="xs" c="dimmed">
              ({baseId})
            </Text>
          </List.Item>
        ))}
      </List>
    </section>
  );
}
