// A document cut into passages: along its structure, some 200 to 400 tokens each, every one knowing
// the headings above it. Where one part of a section follows another, it begins with the end of the
// one before, so that a sentence is found with what it leans on. Pure.

import { estimateTokens } from '../models/estimate-tokens.ts';

export type Block =
  | { readonly kind: 'HEADING'; readonly level: number; readonly text: string }
  | { readonly kind: 'TEXT'; readonly text: string }
  /** Lines that are not sentences: code, lists. */
  | { readonly kind: 'LINES'; readonly text: string }
  /** `head`: repeated where the rows are cut. */
  | { readonly kind: 'TABLE'; readonly head: string; readonly rows: readonly string[] };

export interface SplitPassage {
  readonly headings: readonly string[];
  readonly text: string;
}

const MOST_TOKENS = 400;
/** From here on a heading begins a new passage; smaller sections stay together. */
const ENOUGH_TOKENS = 200;
const OVERLAP_TOKENS = 40;
const HEADING_MAX_CHARS = 200;

interface Piece {
  readonly text: string;
  readonly tokens: number;
}

export function split(blocks: Iterable<Block>): readonly SplitPassage[] {
  const passages: SplitPassage[] = [];
  const path: (string | undefined)[] = [];
  let pieces: Piece[] = [];
  let headings: readonly string[] = [];
  let tokens = 0;
  /** Nothing but what the passage before ended with. */
  let onlyOverlap = false;

  const close = (): void => {
    if (pieces.length > 0 && !onlyOverlap)
      passages.push({ headings, text: pieces.map((piece) => piece.text).join('\n\n') });
    pieces = [];
    tokens = 0;
    onlyOverlap = false;
  };
  const add = (text: string): void => {
    const size = estimateTokens(text);
    if (tokens > 0 && !onlyOverlap && tokens + size > MOST_TOKENS) {
      const end = endOf(pieces.at(-1)?.text ?? '');
      close();
      if (end !== '' && estimateTokens(end) + size <= MOST_TOKENS) {
        pieces = [{ text: end, tokens: estimateTokens(end) }];
        tokens = pieces[0]?.tokens ?? 0;
        onlyOverlap = true;
      }
    }
    if (tokens === 0 || onlyOverlap) headings = path.flatMap((one) => one ?? []);
    pieces.push({ text, tokens: size });
    tokens += size;
    onlyOverlap = false;
  };

  for (const block of blocks) {
    if (block.kind === 'HEADING') {
      if (tokens >= ENOUGH_TOKENS) close();
      const text = block.text.slice(0, HEADING_MAX_CHARS);
      path.length = Math.max(0, block.level - 1);
      path[block.level - 1] = text;
      add(`${'#'.repeat(block.level)} ${text}`);
    } else for (const part of partsOf(block)) add(part);
  }
  close();
  return passages;
}

function partsOf(block: Exclude<Block, { kind: 'HEADING' }>): readonly string[] {
  switch (block.kind) {
    case 'TEXT':
      return packed(block.text, SENTENCES, ' ');
    case 'LINES':
      return packed(block.text, LINES, '\n');
    case 'TABLE': {
      const room = Math.max(ENOUGH_TOKENS, MOST_TOKENS - estimateTokens(block.head));
      const rows = together(
        block.rows.flatMap((row) => small(row, room)),
        '\n',
        room,
      );
      const head = estimateTokens(block.head) <= ENOUGH_TOKENS ? block.head : '';
      return rows.length === 0
        ? small(block.head, MOST_TOKENS)
        : rows.map((part) => (head === '' ? part : `${head}\n${part}`));
    }
  }
}

const SENTENCES = /(?<=[.!?…]["'”’)\]]*)\s+|(?<=[。！？])|\n+/u;
const LINES = /\n/;

function packed(text: string, at: RegExp, joint: string): readonly string[] {
  if (estimateTokens(text) <= MOST_TOKENS) return text.trim() === '' ? [] : [text.trim()];
  const parts = text.split(at).flatMap((part) => small(part, MOST_TOKENS));
  return together(
    parts.filter((part) => part.trim() !== ''),
    joint,
    MOST_TOKENS,
  );
}

/** A sentence or row that is too long by itself: between words, and at last anywhere. */
function small(text: string, most: number): readonly string[] {
  if (estimateTokens(text) <= most) return [text];
  const words = text.split(/(?<=\s)/);
  if (words.length > 1)
    return together(
      words.flatMap((word) => small(word, most)),
      '',
      most,
    );
  const pieces: string[] = [];
  let from = 0;
  while (from < text.length) {
    let to = Math.min(text.length, from + most);
    // Not between the halves of a character.
    if (/[\ud800-\udbff]/.test(text[to - 1] ?? '') && to < text.length) to--;
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

/** Small parts, as many together as there is room for. */
function together(parts: readonly string[], joint: string, most: number): readonly string[] {
  const made: string[] = [];
  let held: string[] = [];
  let size = 0;
  for (const part of parts) {
    const more = estimateTokens(part);
    if (size > 0 && size + more > most) {
      made.push(held.join(joint));
      held = [];
      size = 0;
    }
    held.push(part);
    size += more;
  }
  if (held.length > 0) made.push(held.join(joint));
  return made;
}

/** Its last sentences, or words of the last one. Never of a heading or a table. */
function endOf(text: string): string {
  if (/^(#{1,6} |\|)/.test(text)) return '';
  const sentences = text.slice(-8 * OVERLAP_TOKENS * 4).split(SENTENCES);
  let end = '';
  for (const sentence of sentences.toReversed()) {
    const longer = end === '' ? sentence : `${sentence} ${end}`;
    if (estimateTokens(longer) > OVERLAP_TOKENS) break;
    end = longer;
  }
  if (end !== '') return end.trim();
  const words = (sentences.at(-1) ?? '').slice(-OVERLAP_TOKENS * 4).split(/\s+/);
  return words.length > 1 ? words.slice(1).join(' ').trim() : '';
}
