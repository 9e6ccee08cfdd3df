// A text as its bytes with common escapes undone, each byte with the place in the text that it came
// from: JSON's and JavaScript's escapes, percent-encoding, character references of HTML. Looks at
// each byte once. Imports nothing.

export interface View {
  readonly bytes: Buffer;
  /** By byte: where its spelling begins and ends in the text's own bytes. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

export function viewOf(text: Buffer): View {
  const from = Uint32Array.from({ length: text.length }, (_, at) => at);
  return { bytes: text, from, to: from.map((at) => at + 1) };
}

/** Of bytes that represent others: how many they are, and which. */
interface Spelling {
  readonly length: number;
  readonly means: Uint8Array;
}

/** undefined: nothing in it is spelt otherwise. */
export function decodedOnce(view: View): View | undefined {
  const { bytes } = view;
  const out = Buffer.alloc(bytes.length);
  const from = new Uint32Array(bytes.length);
  const to = new Uint32Array(bytes.length);
  let length = 0;
  let changed = false;
  for (let at = 0; at < bytes.length;) {
    const spelling = spellingAt(bytes, at);
    changed ||= spelling !== undefined;
    const end = at + (spelling?.length ?? 1);
    for (const byte of spelling?.means ?? bytes.subarray(at, end)) {
      out[length] = byte;
      from[length] = view.from[at] ?? 0;
      to[length] = view.to[end - 1] ?? 0;
      length++;
    }
    at = end;
  }
  if (!changed) return undefined;
  return {
    bytes: out.subarray(0, length),
    from: from.subarray(0, length),
    to: to.subarray(0, length),
  };
}

function spellingAt(bytes: Buffer, at: number): Spelling | undefined {
  switch (bytes[at]) {
    case BACKSLASH:
      return escapeAt(bytes, at);
    case PERCENT: {
      const byte = hexAt(bytes, at + 1, 2);
      return byte === undefined ? undefined : { length: 3, means: Uint8Array.of(byte) };
    }
    case AMPERSAND:
      return referenceAt(bytes, at);
    default:
      return undefined;
  }
}

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const AMPERSAND = 0x26;

const SIMPLE: Readonly<Record<string, number>> = {
  ...Object.fromEntries([...'"\'/\\`'].map((c) => [c, c.charCodeAt(0)])),
  ...{ b: 8, f: 12, n: 10, r: 13, t: 9 },
};

function escapeAt(bytes: Buffer, at: number): Spelling | undefined {
  const kind = String.fromCharCode(bytes[at + 1] ?? 0);
  if (kind === 'u') {
    const unit = hexAt(bytes, at + 2, 4);
    if (unit === undefined) return undefined;
    const low = unit >= 0xd800 && unit < 0xdc00 ? lowHalfAt(bytes, at + 6) : undefined;
    return low === undefined
      ? { length: 6, means: Buffer.from(String.fromCharCode(unit)) }
      : { length: 12, means: Buffer.from(String.fromCharCode(unit, low)) };
  }
  if (kind === 'x') {
    const code = hexAt(bytes, at + 2, 2);
    return code === undefined
      ? undefined
      : { length: 4, means: Buffer.from(String.fromCharCode(code)) };
  }
  const means = SIMPLE[kind];
  return means === undefined ? undefined : { length: 2, means: Uint8Array.of(means) };
}

function lowHalfAt(bytes: Buffer, at: number): number | undefined {
  if (bytes[at] !== BACKSLASH || bytes[at + 1] !== 0x75) return undefined;
  const unit = hexAt(bytes, at + 2, 4);
  return unit !== undefined && unit >= 0xdc00 && unit < 0xe000 ? unit : undefined;
}

function hexAt(bytes: Buffer, at: number, digits: number): number | undefined {
  if (at + digits > bytes.length) return undefined;
  const text = bytes.toString('latin1', at, at + digits);
  return /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : undefined;
}

/** Of what is ASCII; letters and digits have no names. */
const NAMED: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", sol: '/', bsol: '\\', colon: ':' },
  ...{ comma: ',', period: '.', equals: '=', plus: '+', lowbar: '_', num: '#', excl: '!' },
  ...{ dollar: '$', percnt: '%', lpar: '(', rpar: ')', ast: '*', midast: '*', semi: ';' },
  ...{ quest: '?', commat: '@', lsqb: '[', lbrack: '[', rsqb: ']', rbrack: ']', Hat: '^' },
  ...{ grave: '`', lcub: '{', lbrace: '{', rcub: '}', rbrace: '}', verbar: '|', vert: '|' },
};
// Zeros in front are skipped by themselves, so that a long row of them costs its length.
const REFERENCE = /&(?:#x0*([0-9a-f]{1,6})|#0*([0-9]{1,7})|([A-Za-z]{2,8})(?=;));?/iy;
const REFERENCE_MAX_BYTES = 64;

function referenceAt(bytes: Buffer, at: number): Spelling | undefined {
  REFERENCE.lastIndex = 0;
  const [text, hex, decimal, name] =
    REFERENCE.exec(bytes.toString('latin1', at, at + REFERENCE_MAX_BYTES)) ?? [];
  if (text === undefined) return undefined;
  const code = Number.parseInt(hex ?? decimal ?? '', hex === undefined ? 10 : 16);
  const means = name === undefined ? fromCode(code) : NAMED[name];
  return means === undefined ? undefined : { length: text.length, means: Buffer.from(means) };
}

const fromCode = (code: number): string | undefined =>
  code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
