// The text of a PDF as blocks, page by page: lines put together to paragraphs, and those of larger
// letters taken for headings.

import { getDocumentProxy } from 'unpdf';
import type { Block } from '../split.ts';
import { DocumentError } from './problem.ts';

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>;

interface Line {
  readonly text: string;
  readonly height: number;
  /** A gap before it. */
  readonly apart: boolean;
}

export interface PdfText {
  readonly title: string | undefined;
  readonly blocks: readonly Block[];
}

export async function readPdf(bytes: Buffer): Promise<PdfText> {
  if (!bytes.subarray(0, 1024).includes('%PDF-'))
    throw new DocumentError('WRONG_TYPE', 'The file is said to be a PDF, but its bytes are none.');
  const pdf = await open(bytes);
  const pages: Line[][] = [];
  try {
    for (let n = 1; n <= pdf.numPages; n++) pages.push(await linesOf(pdf, n));
    const lines = pages.flat();
    if (lines.length === 0) throw await nothingIn(pdf);
    return { title: await titleOf(pdf), blocks: blocksOf(pages, bodyHeight(lines)) };
  } catch (error) {
    throw error instanceof DocumentError ? error : broken(error);
  } finally {
    await pdf.destroy().catch(() => undefined);
  }
}

const broken = (cause: unknown): DocumentError =>
  new DocumentError('BROKEN', 'The PDF is broken: it cannot be read.', cause);

async function open(bytes: Buffer): Promise<PdfDocument> {
  try {
    return await getDocumentProxy(new Uint8Array(bytes), {
      isEvalSupported: false,
      useSystemFonts: false,
      disableFontFace: true,
      verbosity: 0,
    });
  } catch (error) {
    if (error instanceof Error && error.name === 'PasswordException')
      throw new DocumentError(
        'ENCRYPTED',
        'The PDF is encrypted: it opens with a password only. Give one without.',
        error,
      );
    throw broken(error);
  }
}

async function linesOf(pdf: PdfDocument, n: number): Promise<Line[]> {
  const page = await pdf.getPage(n);
  const { items } = await page.getTextContent();
  page.cleanup();
  const lines: Line[] = [];
  let text = '';
  let height = 0;
  let at: number | undefined;
  let last: number | undefined;
  const end = (): void => {
    if (text.trim() !== '') {
      const apart = last === undefined || at === undefined || last - at > 1.6 * (height || 10);
      lines.push({ text: text.replace(/\s+/g, ' ').trim(), height, apart });
      last = at;
    }
    text = '';
    height = 0;
    at = undefined;
  };
  for (const item of items) {
    if (!('str' in item)) continue;
    const y = Number(item.transform[5]);
    if (at !== undefined && item.str.trim() !== '' && Math.abs(y - at) > (item.height || 10) / 2)
      end();
    if (item.str.trim() !== '') at ??= y;
    text += item.str;
    height = Math.max(height, item.height);
    if (item.hasEOL) end();
  }
  end();
  return lines;
}

/** The height of most letters. */
function bodyHeight(lines: readonly Line[]): number {
  const chars = new Map<number, number>();
  for (const { text, height } of lines) {
    const rounded = Math.round(height * 2) / 2;
    chars.set(rounded, (chars.get(rounded) ?? 0) + text.length);
  }
  return [...chars].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}

const HEADING_MAX_CHARS = 120;

function blocksOf(pages: readonly (readonly Line[])[], body: number): readonly Block[] {
  const blocks: Block[] = [];
  for (const lines of pages) {
    let paragraph: string[] = [];
    const end = (): void => {
      if (paragraph.length > 0) blocks.push({ kind: 'TEXT', text: joined(paragraph) });
      paragraph = [];
    };
    for (const { text, height, apart } of lines) {
      const times = body > 0 ? height / body : 1;
      if (times >= 1.15 && text.length <= HEADING_MAX_CHARS && /\p{L}/u.test(text)) {
        end();
        blocks.push({ kind: 'HEADING', level: times >= 1.6 ? 1 : times >= 1.35 ? 2 : 3, text });
        continue;
      }
      if (apart) end();
      paragraph.push(text);
    }
    end();
  }
  return blocks;
}

/** A word that was cut at the end of a line is put together. */
const joined = (lines: readonly string[]): string =>
  lines.reduce((text, line) =>
    /\p{Ll}-$/u.test(text) && /^\p{Ll}/u.test(line) ? text.slice(0, -1) + line : `${text} ${line}`,
  );

async function titleOf(pdf: PdfDocument): Promise<string | undefined> {
  const { info } = await pdf.getMetadata().catch(() => ({ info: {} }));
  const title = (info as { Title?: unknown }).Title;
  return typeof title === 'string' && title.trim() !== '' ? title.trim() : undefined;
}

/** Looked at for pictures where there is no text: a scan shows on its first pages. */
const PAGES_LOOKED_AT = 3;

async function nothingIn(pdf: PdfDocument): Promise<DocumentError> {
  for (let n = 1; n <= Math.min(pdf.numPages, PAGES_LOOKED_AT); n++) {
    const list: { readonly fnArray: readonly number[] } = await (
      await pdf.getPage(n)
    ).getOperatorList();
    // PDF.js's numbers for painting a picture, a mask and a picture that stands in the page.
    if (list.fnArray.some((operator) => operator >= 82 && operator <= 91))
      return new DocumentError(
        'IMAGE_ONLY',
        'The PDF holds pictures of pages and no text. Have the text recognised, and give that.',
      );
  }
  return new DocumentError('EMPTY', 'The PDF holds no text at all.');
}
