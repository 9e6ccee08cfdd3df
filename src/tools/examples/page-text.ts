// A web page as text for a model: what a reader would see, without markup, scripts and what is
// hidden. Not a parser of HTML: it need not be right about broken pages, only short, linear in
// time, and harmless. Imports nothing.

export interface PageText {
  readonly title: string;
  readonly text: string;
}

/** Elements of which nothing is shown. */
const UNSEEN = [
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'math',
  'iframe',
  'object',
  'select',
  'textarea',
  'title',
];
const BLOCK =
  /^(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|tr|ul)$/;

export function pageText(html: string): PageText {
  const out: string[] = [];
  let title = '';
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open === -1) {
      out.push(html.slice(at));
      break;
    }
    out.push(html.slice(at, open));
    if (html.startsWith('<!--', open)) {
      at = after(html, '-->', open + 4);
      continue;
    }
    const end = html.indexOf('>', open);
    if (end === -1) break;
    const name =
      /^\/?([a-zA-Z][a-zA-Z0-9]{0,20})/.exec(html.slice(open + 1, open + 24))?.[1]?.toLowerCase() ??
      '';
    at = end + 1;
    if (UNSEEN.includes(name) && html[open + 1] !== '/' && html[end - 1] !== '/') {
      const close = indexOfClose(html, name, at);
      if (name === 'title' && title === '') title = squeeze(decode(html.slice(at, close)));
      at = after(html, '>', close);
    } else if (BLOCK.test(name)) out.push(name === 'li' ? '\n- ' : '\n');
    else if (/^t[dh]$/.test(name)) out.push('\t');
    else if (name === '') out.push(' ');
  }
  const lines = decode(out.join('')).split('\n').map(squeeze);
  return {
    title,
    text: lines
      .filter((line, i) => line !== '' && (line !== '-' || lines[i + 1] !== ''))
      .join('\n'),
  };
}

const after = (html: string, what: string, from: number): number => {
  const found = html.indexOf(what, from);
  return found === -1 ? html.length : found + what.length;
};

function indexOfClose(html: string, name: string, from: number): number {
  const close = new RegExp(`</${name}`, 'gi');
  close.lastIndex = from;
  return close.exec(html)?.index ?? html.length;
}

const squeeze = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

const NAMED: Readonly<Record<string, string>> = {
  ...{
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    nbsp: ' ',
    shy: '',
    copy: '©',
    reg: '®',
    trade: '™',
    euro: '€',
    pound: '£',
  },
  ...{
    hellip: '…',
    ndash: '–',
    mdash: '—',
    lsquo: '‘',
    rsquo: '’',
    ldquo: '“',
    rdquo: '”',
    laquo: '«',
    raquo: '»',
    bull: '•',
    middot: '·',
  },
  ...{
    auml: 'ä',
    ouml: 'ö',
    uuml: 'ü',
    Auml: 'Ä',
    Ouml: 'Ö',
    Uuml: 'Ü',
    szlig: 'ß',
    eacute: 'é',
    egrave: 'è',
    agrave: 'à',
    ccedil: 'ç',
  },
};

const decode = (text: string): string =>
  text.replaceAll(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,8});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return Object.hasOwn(NAMED, name) ? (NAMED[name] ?? whole) : whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0x1f && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
      ? String.fromCodePoint(code)
      : ' ';
  });
