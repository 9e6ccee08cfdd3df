// The arguments of a call, one by one, exactly as they are stored. What looks like an e-mail is laid
// out as one; every argument is shown, whatever the layout.

import { Box, Card, Code, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Arguments } from '../api/types.ts';
import { piecesOf } from '../text/visible.ts';
import { VisibleText } from '../text/visible-text.tsx';
import styles from './argument-view.module.css';

export function ArgumentView({ given }: { given: Arguments }) {
  const names = Object.keys(given);
  if (names.length === 0) return <Text c="dimmed">It takes no arguments.</Text>;
  const email = emailOf(given);
  const rest = names.filter((name) => !email?.includes(name));
  return (
    <Stack gap="sm">
      {email !== undefined && (
        <Card withBorder padding="sm" aria-label="The message">
          <Stack gap={4}>
            {email
              .filter((name) => name !== 'body')
              .map((name) => (
                <Argument key={name} name={name} value={given[name]} />
              ))}
            <Box className={styles['body'] ?? ''}>
              <VisibleText text={String(given['body'])} />
            </Box>
          </Stack>
        </Card>
      )}
      <dl className={styles['list'] ?? ''}>
        {rest.map((name) => (
          <Argument key={name} name={name} value={given[name]} />
        ))}
      </dl>
    </Stack>
  );
}

const ENVELOPE = ['to', 'cc', 'bcc', 'from', 'subject'];

/** The names that make an e-mail, in its order; undefined where it is none. */
function emailOf(given: Arguments): readonly string[] | undefined {
  if (typeof given['body'] !== 'string' || given['to'] === undefined) return undefined;
  return [...ENVELOPE.filter((name) => given[name] !== undefined), 'body'];
}

function Argument({ name, value }: { name: string; value: unknown }) {
  return (
    <div className={styles['row'] ?? ''}>
      <dt>
        <PlainName name={name} />
      </dt>
      <dd>
        <Value value={value} />
      </dd>
    </div>
  );
}

const PlainName = ({ name }: { name: string }): ReactNode =>
  piecesOf(name)
    .map((piece) => piece.code ?? piece.text)
    .join('');

/** A text as it reads, all else as JSON: "5" and 5 must not look the same. */
function Value({ value }: { value: unknown }) {
  if (typeof value === 'string')
    return value === '' ? <Text c="dimmed">(empty text)</Text> : <VisibleText text={value} />;
  const text = JSON.stringify(value, null, 2) ?? 'null';
  return (
    <Code block={text.includes('\n')}>
      <VisibleText text={text} />
    </Code>
  );
}
