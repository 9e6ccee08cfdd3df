// Bytes that are said to be a text as one: the charset that was said or that the file says, checked
// against the bytes; and what no reader should meet taken out.

import iconv from 'iconv-lite';
import { visibleText } from '../visible-text.ts';
import { DocumentError } from './problem.ts';

const SIGNATURES: readonly (readonly [string, string])[] = [
  ['%PDF-', 'a PDF'],
  ['PK\x03\x04', 'a zip archive'],
  ['\x1f\x8b', 'a gzip archive'],
  ['\x89PNG', 'a picture'],
  ['GIF8', 'a picture'],
  ['\xff\xd8\xff', 'a picture'],
  ['\xd0\xcf\x11\xe0', 'an office document'],
  ['{\\rtf', 'an RTF document'],
  ['\x7fELF', 'a program'],
  ['MZ\x90', 'a program'],
];

export function decodeText(bytes: Buffer, mediaType: string): string {
  const head = bytes.subarray(0, 16).toString('latin1');
  const known = SIGNATURES.find(([signature]) => head.startsWith(signature));
  if (known !== undefined)
    throw new DocumentError(
      'WRONG_TYPE',
      `The file is said to be a text, but its bytes are those of ${known[1]}.`,
    );
  const text = decoded(bytes, mediaType);
  if (isNoise(text))
    throw new DocumentError('WRONG_TYPE', 'The file is said to be a text, but its bytes are none.');
  return visibleText(text);
}

function decoded(bytes: Buffer, mediaType: string): string {
  const marked = byteOrderMark(bytes);
  if (marked !== undefined) return iconv.decode(bytes, marked);
  // What is valid UTF-8 and not plain ASCII is hardly ever anything else, whatever is said of it.
  const utf8 = asUtf8(bytes);
  if (utf8 !== undefined) return utf8;
  const said = charsetIn(mediaType) ?? charsetInFile(bytes);
  if (said !== undefined && !/^utf-?8$/i.test(said)) return iconv.decode(bytes, said);
  return iconv.decode(bytes, 'windows-1252');
}

function byteOrderMark(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined;
}

function asUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const known = (label: string | undefined): string | undefined =>
  label !== undefined && !/^(base64|hex|binary|utf-?7)/i.test(label) && iconv.encodingExists(label)
    ? label
    : undefined;
const charsetIn = (mediaType: string): string | undefined =>
  known(/;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(mediaType)?.[1]);
const charsetInFile = (bytes: Buffer): string | undefined =>
  known(
    /<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)/i.exec(
      bytes.subarray(0, 2048).toString('latin1'),
    )?.[1],
  );

/** A text may hold a stray control; more than one in a hundred characters is none. */
const HANDFUL = 8;
function isNoise(text: string): boolean {
  let odd = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0xfffd || (unit < 0x20 && !(unit >= 0x08 && unit <= 0x0d) && unit !== 0x1b)) odd++;
    else if (unit >= 0x7f && unit <= 0x9f) odd++;
  }
  return odd > 0 && (text.length <= HANDFUL || odd * 100 > text.length);
}
