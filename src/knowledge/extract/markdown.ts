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
      return text.trim() === '' ? [] : [{ kind: 'HEADING', level: depth, text: oneLine(text) }];
    }
    case 'table': {
      const { header, rows } = token as Tokens.Table;
      const line = (cells: readonly Tokens.TableCell[]): string =>
        `| ${cells.map((cell) => oneLine(cell.text)).join(' | ')} |`;
      const rule = `|${header.map(() => ' --- ').join('|')}|`;
      return [{ kind: 'TABLE', head: `${line(header)}\n${rule}`, rows: rows.map(line) }];
    }
    case 'code':
    case 'list':
      return lines(token.raw);
    case 'html':
      // What a reader of the page does not see.
      return lines(token.raw.replace(/<!--[\s\S]*?(-->|$)/g, ''));
    case 'space':
    case 'hr':
    case 'def':
      return [];
    default:
      return textBlock(token.raw);
  }
}

const lines = (raw: string): readonly Block[] =>
  raw.trim() === '' ? [] : [{ kind: 'LINES', text: raw.trim() }];
const textBlock = (raw: string): readonly Block[] =>
  raw.trim() === '' ? [] : [{ kind: 'TEXT', text: raw.trim() }];
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Paragraphs between empty lines; what has no sentences is cut between its lines. */
export const plainBlocks = (text: string): readonly Block[] =>
  text.split(/\n[ \t]*\n\s*/).flatMap(textBlock);
