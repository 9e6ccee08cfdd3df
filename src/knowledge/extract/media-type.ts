// Which kinds of documents are taken, by the type that was said and by the name of the file. What
// the bytes say is looked at when they are read. Imports nothing.

export type DocumentKind = 'TEXT' | 'MARKDOWN' | 'HTML' | 'PDF';

const BY_TYPE: Readonly<Record<string, DocumentKind>> = {
  'text/plain': 'TEXT',
  'text/markdown': 'MARKDOWN',
  'text/x-markdown': 'MARKDOWN',
  'text/html': 'HTML',
  'application/xhtml+xml': 'HTML',
  'application/pdf': 'PDF',
  'application/x-pdf': 'PDF',
};
const BY_NAME: readonly (readonly [RegExp, DocumentKind])[] = [
  [/\.(md|markdown)$/i, 'MARKDOWN'],
  [/\.(html?|xhtml)$/i, 'HTML'],
  [/\.pdf$/i, 'PDF'],
  [/\.(txt|text)$/i, 'TEXT'],
];
/** What clients say that do not know. */
const NOTHING_SAID = ['', 'application/octet-stream', 'binary/octet-stream'];

export const TAKEN_TYPES = 'text/plain, text/markdown, text/html and application/pdf';

/** undefined: none that is taken. A Markdown file often goes as plain text. */
export function kindOf(mediaType: string, fileName: string): DocumentKind | undefined {
  const type = bareType(mediaType);
  const named = BY_NAME.find(([pattern]) => pattern.test(fileName))?.[1];
  if (NOTHING_SAID.includes(type)) return named;
  const said = BY_TYPE[type];
  return said === 'TEXT' && named === 'MARKDOWN' ? named : said;
}

export const bareType = (mediaType: string): string =>
  (mediaType.split(';')[0] ?? '').trim().toLowerCase();
