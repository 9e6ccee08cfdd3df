// Text that a person decides by: as it is stored, escaped, with hidden characters named; long text
// is folded and can be opened whole.

import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { piecesOf } from './visible.ts';
import styles from './visible-text.module.css';

/** A screenful on a phone. */
const FOLDED_CHARS = 600;
/** Of an opened text at a time: a megabyte of it at once would stop the page. */
const STEP_CHARS = 50_000;

export function VisibleText({ text, dimmed = false }: { text: string; dimmed?: boolean }) {
  const [shown, setShown] = useState(FOLDED_CHARS);
  const long = text.length > FOLDED_CHARS;
  const part = cut(text, shown);
  return (
    <>
      <Text component="span" className={styles['text'] ?? ''} {...(dimmed ? { c: 'dimmed' } : {})}>
        {piecesOf(part).map((piece, index) =>
          piece.code === undefined ? (
            <span key={index}>{piece.text}</span>
          ) : (
            <mark
              key={index}
              className={styles['hidden'] ?? ''}
              title="A character that cannot be seen"
            >
              {piece.code}
            </mark>
          ),
        )}
        {part.length < text.length && '…'}
      </Text>
      {long && (
        <Text component="span" size="xs" c="dimmed" className={styles['fold'] ?? ''}>
          {part.length < text.length
            ? `${part.length.toLocaleString()} of ${text.length.toLocaleString()} characters`
            : `${text.length.toLocaleString()} characters`}
          {part.length < text.length && (
            <Button variant="subtle" size="compact-xs" onClick={() => setShown(shown + STEP_CHARS)}>
              Show more
            </Button>
          )}
          {shown > FOLDED_CHARS && (
            <Button variant="subtle" size="compact-xs" onClick={() => setShown(FOLDED_CHARS)}>
              Fold
            </Button>
          )}
        </Text>
      )}
    </>
  );
}

/** Never through the middle of a surrogate pair. */
const cut = (text: string, length: number): string =>
  text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
