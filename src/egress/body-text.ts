// The body of an answer as text for a model: content encodings undone, read in the charset that it
// declares, and a line with type and size where it is no text. Imports nothing of the
// project.

import iconv from 'iconv-lite';
import { unpacked } from './unpack.ts';

export interface Body {
  readonly bytes: Buffer;
  /** Reading stopped there. */
  readonly truncated: boolean;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly contentLength?: string | undefined;
  /** Of the text; what a packed body unpacks to is not read further. */
  readonly maxBytes: number;
}

export interface BodyText {
  readonly text: string;
  readonly truncated: boolean;
}

export async function bodyText(body: Body): Promise<BodyText> {
  const { bytes, truncated } = await unpacked(body);
  if (bytes.length === 0) return { text: '', truncated };
  const charset = charsetOf(bytes, body.contentType);
  const text = charset === undefined ? undefined : decoded(bytes, charset, truncated);
  if (text === undefined || isNoise(text))
    return { text: note(body, bytes, truncated), truncated: false };
  return { text, truncated };
}

function note(body: Body, bytes: Buffer, truncated: boolean): string {
  const type = /^[\w.+-]{1,60}\/[\w.+-]{1,60}/.exec(body.contentType ?? '')?.[0];
  const packed = body.contentEncoding !== undefined;
  const length = /^\d{1,15}$/.test(body.contentLength ?? '') && !packed ? body.contentLength : '';
  const size = truncated ? length || `more than ${bytes.length}` : bytes.length;
  return `[The answer is no text: ${type ?? 'of no declared type'}, ${size} bytes.]`;
}

/** How files that are no text begin, where their bytes might pass for some. */
const SIGNATURES = ['%PDF-', 'PK\x03\x04', '\x89PNG', 'GIF87a', 'GIF89a', '\xff\xd8\xff'].map((s) =>
  Buffer.from(s, 'latin1'),
);
const NO_TEXT_TYPES = /^(image|audio|video|font)\/|^application\/(pdf|zip|gzip|x-tar|wasm)\b/i;

/** undefined: no text. */
function charsetOf(bytes: Buffer, contentType = ''): string | undefined {
  if (SIGNATURES.some((signature) => bytes.subarray(0, signature.length).equals(signature)))
    return undefined;
  const marked = byteOrderMark(bytes);
  if (marked !== undefined) return marked;
  const declared = known(/;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(contentType)?.[1]);
  if (declared !== undefined) return declared;
  if (isUtf8(bytes)) return 'utf-8';
  if (NO_TEXT_TYPES.test(contentType)) return undefined;
  const head = bytes.subarray(0, 1024).toString('latin1');
  const named =
    /^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)/i.exec(head)?.[1] ??
    /<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)/i.exec(head)?.[1];
  return known(named) ?? guessed(bytes);
}

/** Neither declared nor UTF-8: a text of Windows, a broken text, or none. */
function guessed(bytes: Buffer): string | undefined {
  let odd = 0;
  for (const byte of bytes) if (isNoLetter(byte)) odd++;
  if (odd === 0) return 'windows-1252';
  // An eighth of random bytes has no letter; of a few bytes a third must have none.
  return odd * (bytes.length > 32 ? 50 : 3) >= bytes.length ? undefined : 'utf-8';
}

function byteOrderMark(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

/** Names that the decoder knows and that are no charsets. */
const NO_CHARSETS = /^(base64|hex|binary|utf-?7(-?imap)?)$/i;
/** What browsers read under these names, since servers mean that. */
const READ_AS: Readonly<Record<string, string>> = {
  'iso-8859-1': 'windows-1252',
  latin1: 'windows-1252',
  'us-ascii': 'windows-1252',
  ascii: 'windows-1252',
  'iso-8859-9': 'windows-1254',
};
const known = (label = ''): string | undefined => {
  const name = label.toLowerCase();
  return name === '' || NO_CHARSETS.test(name) || !iconv.encodingExists(name)
    ? undefined
    : (READ_AS[name] ?? name);
};

function isUtf8(bytes: Buffer): boolean {
  try {
    // A character whose end was cut off is no mistake.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function decoded(bytes: Buffer, charset: string, truncated: boolean): string {
  // With `stream` the decoder keeps back a character whose end was cut off.
  if (/^utf-?8$/.test(charset)) return new TextDecoder().decode(bytes, { stream: truncated });
  const text = iconv.decode(bytes, charset);
  return truncated ? text.replace(/\ufffd$/, '') : text;
}

/** Controls but for those that texts use, and what has no letter in windows-1252. */
const isNoLetter = (byte: number): boolean =>
  (byte < 0x20 && !(byte >= 0x08 && byte <= 0x0d) && byte !== 0x1b) ||
  byte === 0x7f ||
  byte === 0x81 ||
  byte === 0x8d ||
  byte === 0x8f ||
  byte === 0x90 ||
  byte === 0x9d;

/** A text may hold a stray control; a tenth of it, and more than a handful, is no text. */
const HANDFUL = 8;
function isNoise(text: string): boolean {
  let odd = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0xfffd || (unit < 0x80 && isNoLetter(unit))) odd++;
  }
  return odd > HANDFUL && odd * 10 > text.length;
}
