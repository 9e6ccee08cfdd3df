// Takes out of a text what a receiver was sent and may echo, in whatever usual spelling: escaped for
// JSON, an address or HTML, up to three times over, in base64 or hexadecimal. What it cannot see is
// told in docs/security.md. Linear in the text.

import { decodedOnce, viewOf, type View } from './spellings.ts';

export type Mask = (text: string) => string;

const MASKED = '[secret]';
/** Shorter values would blank out half the text, and are no secrets. */
const SECRET_MIN_BYTES = 4;
/** Of a value in base64, what does not depend on its neighbours. */
const CODED_MIN_CHARS = 6;
/** A text in a JSON text in an address, and the text itself. */
const LAYERS = 3;

/** `values`: what was sent and is not to be seen. */
export function createMask(values: Iterable<string>): Mask {
  const all = new Set([...values].flatMap(alsoRead));
  const secrets = [...all]
    .map((value) => Buffer.from(value))
    .filter((secret) => secret.length >= SECRET_MIN_BYTES);
  if (secrets.length === 0) return (text) => text;
  const plain = unique(secrets.flatMap((secret) => [secret, withPlus(secret)]));
  const coded = unique(secrets.flatMap(inBase64));
  const hex = unique(secrets.map((secret) => Buffer.from(secret.toString('hex'))));
  return (text) => {
    const bytes = Buffer.from(text);
    const found: [number, number][] = [];
    let view: View | undefined = viewOf(bytes);
    for (let layer = 0; view !== undefined && layer <= LAYERS; layer++) {
      find(view, plain, found);
      find(view, coded, found, withEdges);
      find({ ...view, bytes: lowerCase(view.bytes) }, hex, found);
      view = decodedOnce(view);
    }
    return found.length === 0 ? text : without(bytes, found);
  };
}

/**
 * The value as somebody may have it who was sent it: what it spells, and what it is the base64 of
 * (the name and password of Basic).
 */
function alsoRead(value: string): readonly string[] {
  const spelt = decodedOnce(viewOf(Buffer.from(value)))?.bytes.toString();
  const all = [value, ...(spelt === undefined ? [] : [spelt])];
  if (/^[\w+/-]{8,}={0,2}$/.test(value)) {
    const inside = Buffer.from(value, 'base64').toString();
    // Of a value that only looks like base64 the bytes are no text.
    if (/^[\x20-\x7e]{4,}$/.test(inside)) all.push(inside, ...passwordOf(inside));
  }
  return all;
}

const passwordOf = (credentials: string): readonly string[] => {
  const at = credentials.indexOf(':');
  return at < 0 ? [] : [credentials.slice(at + 1)];
};

/** What a request says that is made of its address: the credentials in it, and the Basic header. */
export function sentFromAddress(address: string): readonly string[] {
  if (!URL.canParse(address)) return [];
  const { username, password } = new URL(address);
  if (password === '' && username === '') return [];
  const name = percentDecoded(username);
  const word = percentDecoded(password);
  return [password, word, `${name}:${word}`];
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** As forms spell a space. */
const withPlus = (secret: Buffer): Buffer =>
  Buffer.from(secret.toString('latin1').replaceAll(' ', '+'), 'latin1');

/** At each of the three places that it may have in what was encoded, in both alphabets. */
function inBase64(secret: Buffer): readonly Buffer[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), secret]).toString('base64');
    // A character in which a neighbour has bits is not looked for.
    const from = Math.ceil((before * 8) / 6);
    const core = text.slice(from, Math.floor(((before + secret.length) * 8) / 6));
    if (core.length < CODED_MIN_CHARS) return [];
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')].map((c) => Buffer.from(c));
  });
}

const unique = (patterns: readonly Buffer[]): readonly Buffer[] => [
  ...new Map(patterns.map((pattern) => [pattern.toString('latin1'), pattern])).values(),
];

const lowerCase = (bytes: Buffer): Buffer =>
  Buffer.from(
    bytes.toString('latin1').replace(/[A-F]/g, (c) => c.toLowerCase()),
    'latin1',
  );

type Widen = (bytes: Buffer, from: number, to: number) => readonly [number, number];

function find(
  { bytes, from, to }: View,
  patterns: readonly Buffer[],
  found: [number, number][],
  widen: Widen = (_, first, end) => [first, end],
): void {
  for (const pattern of patterns)
    for (
      let at = bytes.indexOf(pattern);
      at >= 0;
      at = bytes.indexOf(pattern, at + pattern.length)
    ) {
      const [first, end] = widen(bytes, at, at + pattern.length);
      found.push([from[first] ?? 0, to[end - 1] ?? 0]);
    }
}

/** The characters at both ends, in which a part of the value is, and the padding. */
function withEdges(bytes: Buffer, from: number, to: number): readonly [number, number] {
  const isDigit = (at: number): boolean => /[\w+/-]/.test(String.fromCharCode(bytes[at] ?? 0));
  let end = isDigit(to) ? to + 1 : to;
  while (end < to + 3 && bytes[end] === 0x3d) end++;
  return [from > 0 && isDigit(from - 1) ? from - 1 : from, end];
}

function without(bytes: Buffer, found: [number, number][]): string {
  const ordered = found.toSorted(([a], [b]) => a - b);
  const kept: Buffer[] = [];
  let at = 0;
  for (const [from, to] of ordered) {
    if (from >= at) kept.push(bytes.subarray(at, from), Buffer.from(MASKED));
    at = Math.max(at, to);
  }
  kept.push(bytes.subarray(at));
  return Buffer.concat(kept).toString();
}
