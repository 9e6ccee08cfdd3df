// A web page as Markdown: what a reader came for, without navigation, scripts, forms and the like.

import { createRequire } from 'node:module';
import Turndown from 'turndown';
import { DocumentError } from './problem.ts';

// CommonJS whose types are no module's.
const { createDocument } = createRequire(import.meta.url)('@mixmark-io/domino') as {
  readonly createDocument: (html: string) => PageDocument;
};

/** As much of a document as is used here. */
interface PageNode {
  readonly getAttribute: (name: string) => string | null;
  readonly closest: (selector: string) => PageNode | null;
  readonly querySelector: (selector: string) => PageNode | null;
  readonly querySelectorAll: (selector: string) => ArrayLike<PageNode>;
  readonly remove: () => void;
}
interface PageDocument extends PageNode {
  readonly title: string;
  readonly body: PageNode | null;
}

const NEVER =
  'script,style,noscript,template,svg,canvas,iframe,object,embed,audio,video,form,button,select,input,textarea,dialog,nav,footer,aside,menu,[hidden],[aria-hidden=true],[role=navigation],[role=banner],[role=contentinfo],[role=search],[role=complementary],[role=dialog],[role=alert]';
/** A page's own header says where one is; an article's says what it is. */
const OUTSIDE_ARTICLES = 'header';

export interface Page {
  readonly title: string | undefined;
  readonly markdown: string;
}

/** Parsers of HTML take a time that is the square of the depth; browsers stop at 512. */
const DEEPEST = 2000;
/** Ends that need not be written, and elements that have none: many in a row are not nested. */
const FLAT =
  /^(p|li|dt|dd|tr|td|th|thead|tbody|tfoot|option|area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/i;

function isTooDeep(html: string): boolean {
  let depth = 0;
  for (const [, end, name = ''] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)/gi)) {
    if (FLAT.test(name)) continue;
    depth = Math.max(0, depth + (end === '' ? 1 : -1));
    if (depth > DEEPEST) return true;
  }
  return false;
}

export function readPage(html: string): Page {
  if (isTooDeep(html))
    throw new DocumentError('TOO_COMPLEX', 'The page is nested too deeply to be read.');
  const document = createDocument(html);
  const title = document.title.replace(/\s+/g, ' ').trim();
  for (const node of Array.from(document.querySelectorAll(NEVER))) node.remove();
  for (const node of Array.from(document.querySelectorAll('[style]')))
    if (
      /display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])/i.test(
        node.getAttribute('style') ?? '',
      )
    )
      node.remove();
  for (const node of Array.from(document.querySelectorAll(OUTSIDE_ARTICLES)))
    if (node.closest('article,main,[role=main]') === null && node.querySelector('h1') === null)
      node.remove();
  const articles = document.querySelectorAll('article');
  const root =
    document.querySelector('main,[role=main]') ??
    (articles.length === 1 ? articles[0] : undefined) ??
    document.body;
  return {
    title: title === '' ? undefined : title,
    markdown: root === null || root === undefined ? '' : toMarkdown(root),
  };
}

function toMarkdown(root: PageNode): string {
  const turndown = new Turndown({ headingStyle: 'atx', codeBlockStyle: 'fenced' });
  // It is read, not rendered: what only marks up would stand in the text.
  turndown.escape = (text) => text;
  turndown.addRule('links', { filter: 'a', replacement: (content) => content });
  turndown.addRule('emphasis', {
    filter: ['em', 'i', 'strong', 'b'],
    replacement: (content) => content,
  });
  turndown.addRule('pictures', {
    filter: 'img',
    replacement: (_, node: PageNode) => node.getAttribute('alt') ?? '',
  });
  turndown.addRule('cells', {
    filter: ['th', 'td'],
    replacement: (content) =>
      ` ${content
        .replace(/\s*\n\s*/g, ' ')
        .replaceAll('|', '\\|')
        .trim()} |`,
  });
  turndown.addRule('rows', {
    filter: 'tr',
    replacement: (content, row: PageNode) => {
      const table = row.closest('table');
      const first = table?.querySelector('tr') === row;
      const rule = first ? `\n|${' --- |'.repeat(row.querySelectorAll('th,td').length)}` : '';
      return `\n|${content}${rule}`;
    },
  });
  turndown.addRule('tables', {
    filter: 'table',
    replacement: (content) => `\n\n${content.replace(/\n{2,}/g, '\n').trim()}\n\n`,
  });
  turndown.addRule('table parts', {
    filter: ['thead', 'tbody', 'tfoot'],
    replacement: (content) => content,
  });
  return turndown.turndown(root as never);
}
