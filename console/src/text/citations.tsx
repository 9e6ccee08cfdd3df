// Where something came from: documents by their titles, each once, as links to their base.

import { Anchor, Text } from '@mantine/core';
import type { Citation } from '../api/types.ts';
import { linkTo } from '../shell/route.ts';
import { VisibleText } from './visible-text.tsx';

export function Citations({ of, label }: { of: readonly Citation[]; label: string }) {
  const documents = [...new Map(of.map((one) => [one.documentId, one])).values()];
  if (documents.length === 0) return null;
  return (
    <Text size="sm" component="div">
      {label}:{' '}
      {documents.map((one, i) => (
        <span key={one.documentId}>
          {i > 0 && ', '}
          <Anchor href={linkTo.base(one.baseId)}>
            <VisibleText text={one.title} />
          </Anchor>
        </span>
      ))}
    </Text>
  );
}
