// Markdown and plain text as blocks.

import { Lexer, type Token, type Tokens } from 'marked';
import type { Block } from '../split.ts';

export function markdownBlocks(text: string): readonly Block[] {
  // Blocks alone: what stands within a line stays as it is written.
  return new Lexer().blockTokens(text).flatMap(blocksOf);
}

export const firstHeading = (blocks: readonly Block[]): string | undefined =>
  blocks.find((block) => block.kind === 'HEADING')?.text;

function blocksOf(token: Token): readonly Block[] {
  switch (token.type) {
    case 'heading': {
      const { depth, text } = token as Tokens.Heading;
      return text.trim() === ''
        ? []
        : [{ kind: 'HEADING', level: depth, text: oneLine(withoutPictures(text)) }];
    }
    case 'table': {
      const { header, rows } = token as Tokens.Table;
      const line = (cells: readonly Tokens.TableCell[]): string =>
        `| ${cells.map((cell) => oneLine(withoutPictures(cell.text))).join(' | ')} |`;
      const rule = `|${header.map(() => ' --- ').join('|')}|`;
      return [{ kind: 'TABLE', head: `${line(header)}\n${rule}`, rows: rows.map(line) }];
    }
    case 'code':
      return lines(token.raw);
    case 'list':
      return lines(withoutPictures(token.raw));
    case 'html':
      // What a reader of the page does not see.
      return lines(withoutPictures(token.raw.replace(/<!--[\s\S]*?(-->|$)/g, '')));
    case 'space':
    case 'hr':
    case 'def':
      return [];
    default:
      return textBlock(token.raw);
  }
}

/**
 * A picture is what it is called. Its address is for who shows it: repeated in an answer that is
 * shown, it would be fetched, with whatever the one who wrote it has put in.
 */
const withoutPictures = (text: string): string =>
  text
    .replace(/!\[([^[\]]*)\](?:\((?:[^()\s]|\([^()\s]*\))*(?:\s[^()]*)?\)|\[[^[\]]*\])/g, '$1')
    .replace(/<img\b[^<>]*>/gi, (tag) => /\balt\s*=\s*["']([^"']*)/i.exec(tag)?.[1] ?? '');

const lines = (raw: string): readonly Block[] =>
  raw.trim() === '' ? [] : [{ kind: 'LINES', text: raw.trim() }];
const textBlock = (raw: string): readonly Block[] =>
  raw.trim() === '' ? [] : [{ kind: 'TEXT', text: withoutPictures(raw).trim() }];
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Paragraphs between empty lines; what has no sentences is cut between its lines. */
export const plainBlocks = (text: string): readonly Block[] =>
  text.split(/\n[ \t]*\n\s*/).flatMap(textBlock);
