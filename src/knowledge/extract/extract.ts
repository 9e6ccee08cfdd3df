// From a document's bytes to its passages. Runs in a process of its own (child.ts): what it is
// given was made by others.

import { createHash } from 'node:crypto';
import { split, type SplitPassage } from '../split.ts';
import { languageOf } from '../language.ts';
import { wordsOf } from '../words.ts';
import { visibleText } from '../visible-text.ts';
import { decodeText } from './decode.ts';
import { readPage } from './html.ts';
import { firstHeading, markdownBlocks, plainBlocks } from './markdown.ts';
import { kindOf, TAKEN_TYPES } from './media-type.ts';
import { readPdf } from './pdf.ts';
import { DocumentError } from './problem.ts';
import type { Block } from '../split.ts';

export interface ToExtract {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly fileName: string;
}

export interface ExtractedPassage {
  readonly headings: string;
  readonly body: string;
  readonly headingWords: string;
  readonly bodyWords: string;
}

export interface Extracted {
  /** What the document calls itself; undefined: nothing. */
  readonly title: string | undefined;
  readonly language: string | undefined;
  readonly hash: string;
  readonly passages: readonly ExtractedPassage[];
}

/** Throws DocumentError. */
export async function extract({ bytes, mediaType, fileName }: ToExtract): Promise<Extracted> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = await readDocument(buffer, mediaType, fileName);
  const passages = split(read.blocks);
  if (passages.length === 0) throw new DocumentError('EMPTY', 'The document holds no text.');
  const sample = passages
    .slice(0, 20)
    .map((passage) => passage.text)
    .join('\n');
  return {
    title: read.title === undefined ? undefined : cleanTitle(read.title),
    language: languageOf(sample),
    hash: createHash('sha256').update(buffer).digest('hex'),
    passages: passages.map(worded),
  };
}

const TITLE_MAX_CHARS = 300;
const cleanTitle = (title: string): string | undefined =>
  visibleText(title).replace(/\s+/g, ' ').trim().slice(0, TITLE_MAX_CHARS) || undefined;

const worded = ({ headings, text }: SplitPassage): ExtractedPassage => ({
  headings: headings.join('\n'),
  body: text,
  headingWords: wordsOf(headings.join(' ')).join(' '),
  bodyWords: wordsOf(text).join(' '),
});

async function readDocument(
  bytes: Buffer,
  mediaType: string,
  fileName: string,
): Promise<{ readonly title: string | undefined; readonly blocks: readonly Block[] }> {
  if (bytes.length === 0) throw new DocumentError('EMPTY', 'The file is empty: it has no bytes.');
  const kind = kindOf(mediaType, fileName);
  switch (kind) {
    case 'PDF': {
      const { title, blocks } = await readPdf(bytes);
      return { title, blocks: blocks.map(shown) };
    }
    case 'HTML': {
      const { title, markdown } = readPage(decodeText(bytes, mediaType));
      const blocks = markdownBlocks(markdown);
      return { title: title ?? firstHeading(blocks), blocks };
    }
    case 'MARKDOWN': {
      const blocks = markdownBlocks(decodeText(bytes, mediaType));
      return { title: firstHeading(blocks), blocks };
    }
    case 'TEXT':
      return { title: undefined, blocks: plainBlocks(decodeText(bytes, mediaType)) };
    case undefined:
      throw new DocumentError(
        'UNSUPPORTED_TYPE',
        `Documents of this type are not taken in: give one of ${TAKEN_TYPES}.`,
      );
  }
}

const shown = (block: Block): Block =>
  block.kind === 'TABLE' ? block : { ...block, text: visibleText(block.text) };
