// JSON read without losing anything silently: what JSON.parse would drop, round or overwrite is
// refused here, with a path. The raw text is scanned first (a loop, never recursion), then parsed
// natively. Imports nothing, never throws.

export interface StrictLimits {
  /** Nested arrays and objects; more than any schema of ours needs. */
  readonly maxDepth?: number;
  /** Keys of all objects together: a set of seen keys is kept for each. */
  readonly maxKeys?: number;
  /** Items of all arrays together: an empty one costs three bytes to send and fifty to hold. */
  readonly maxItems?: number;
  readonly maxBytes?: number;
  /** Where a text may lie whose bytes do not count towards `maxBytes`. It is not copied either. */
  readonly uncounted?: (path: JsonPath) => boolean;
}
export type JsonPath = readonly (string | number)[];
export type StrictResult =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      /** A sentence. */
      readonly problem: string;
      readonly path: JsonPath;
      /** It was `maxBytes` that was passed. */
      readonly tooLarge?: true;
    };

interface Frame {
  /** undefined: an array. */
  readonly keys: Set<string> | undefined;
  step: string | number;
  wantsKey: boolean;
}

export function parseStrict(text: string, limits: StrictLimits = {}): StrictResult {
  const { maxBytes = Infinity, uncounted } = limits;
  if (uncounted === undefined && Buffer.byteLength(text) > maxBytes) return tooLarge(maxBytes);
  const aside: Aside[] = [];
  const found = scan(text, limits, aside);
  if (found === 'TOO_LARGE') return tooLarge(maxBytes);
  if (found !== undefined)
    return { ok: false, problem: `${subject(found.path)} ${found.problem}.`, path: found.path };
  const counted = withoutAside(text, aside);
  if (Buffer.byteLength(counted) > maxBytes) return tooLarge(maxBytes);
  try {
    const value: unknown = JSON.parse(counted);
    for (const { path, string } of aside) putBack(value, path, string);
    return { ok: true, value };
  } catch {
    return { ok: false, ...MALFORMED };
  }
}

const tooLarge = (maxBytes: number): StrictResult => ({
  ok: false,
  problem: `The JSON is larger than ${maxBytes} bytes.`,
  path: [],
  tooLarge: true,
});

/** A text that does not count, between its quotes. It shares the memory of the whole. */
interface Aside {
  readonly path: JsonPath;
  readonly start: number;
  readonly end: number;
  readonly string: string;
}

/** Each of them leaves an empty text behind, so that the native parser does not copy them. */
function withoutAside(text: string, aside: readonly Aside[]): string {
  const starts = [0, ...aside.map(({ end }) => end)];
  return starts.map((start, i) => text.slice(start, aside[i]?.start)).join('');
}

function putBack(value: unknown, path: JsonPath, string: string): void {
  let holder: unknown = value;
  for (const step of path.slice(0, -1)) holder = Reflect.get(Object(holder), step);
  Reflect.set(Object(holder), path.at(-1) ?? '', string);
}

const MALFORMED = { problem: 'The text is not valid JSON.', path: [] } as const;

/** `a.b[3]`. Text of the sender's, so it is kept short. */
export function pathText(path: JsonPath): string {
  const text = path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${step}`))
    .join('');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
const subject = (path: JsonPath): string =>
  path.length === 0 ? 'The JSON' : `"${readable(pathText(path))}"`;
// A key may hold what we refuse it for; the sentence about it must be storable itself.
const readable = (text: string): string =>
  text.replaceAll('\0', '\\u0000').replace(/\p{Cs}/gu, '\ufffd');

interface Found {
  readonly problem: string;
  readonly path: JsonPath;
}

/**
 * For valid JSON this finds every problem; for anything else it may find nothing, and the native
 * parser refuses it.
 */
function scan(text: string, limits: StrictLimits, aside: Aside[]): Found | 'TOO_LARGE' | undefined {
  const { maxDepth = 32, maxKeys = 2000, maxItems = Infinity } = limits;
  const { maxBytes = Infinity, uncounted } = limits;
  const stack: Frame[] = [];
  let keyCount = 0;
  let itemCount = 0;
  let asideChars = 0;
  const here = (problem: string): Found => ({ problem, path: stack.map((frame) => frame.step) });
  for (let i = 0; i < text.length; i++) {
    // A character is a byte at least: what is too long is not read on.
    if (i - asideChars > maxBytes) return 'TOO_LARGE';
    const frame = stack.at(-1);
    switch (text[i]) {
      case '{':
      case '[':
        if (stack.length >= maxDepth) return here(`is nested more than ${maxDepth} levels deep`);
        stack.push(newFrame(text[i] === '{'));
        if (text[i] === '[' && ++itemCount > maxItems) return tooManyItems(maxItems);
        break;
      case '}':
      case ']':
        stack.pop();
        break;
      case ',':
        if (typeof frame?.step === 'number') {
          frame.step++;
          if (++itemCount > maxItems) return tooManyItems(maxItems);
        } else if (frame !== undefined) frame.wantsKey = true;
        break;
      case '"': {
        const start = i;
        const end = endOfString(text, start);
        const string = decoded(text.slice(start, end + 1));
        if (string === undefined) return { problem: 'is not valid JSON', path: [] };
        i = end;
        const isKey = frame?.keys !== undefined && frame.wantsKey;
        if (isKey) frame.step = string;
        // An escape is decoded by the native parser, and its text counts.
        else if (uncounted !== undefined && string.length === end - start - 1 && isPlain(string)) {
          const path = stack.map(({ step }) => step);
          if (uncounted(path)) {
            asideChars += string.length;
            aside.push({ path, start: start + 1, end, string });
            break;
          }
        }
        const problem = stringProblem(string) ?? (isKey ? takeKey(frame, string) : undefined);
        if (problem !== undefined) return here(problem);
        if (isKey && ++keyCount > maxKeys) return tooManyKeys(maxKeys);
        break;
      }
      default: {
        const number = numberAt(text, i);
        if (number === undefined) break;
        i += number.length - 1;
        const problem = numberProblem(Number(number));
        if (problem !== undefined) return here(problem);
      }
    }
  }
  return undefined;
}

const newFrame = (isObject: boolean): Frame =>
  isObject
    ? { keys: new Set(), step: '', wantsKey: true }
    : { keys: undefined, step: 0, wantsKey: false };

/** Returns what is wrong with a key, if anything. */
function takeKey(frame: Frame, key: string): string | undefined {
  frame.wantsKey = false;
  if (key === '__proto__') return 'is not allowed as a key';
  if (frame.keys?.has(key) === true) return 'is given twice';
  frame.keys?.add(key);
  return undefined;
}

const tooManyKeys = (maxKeys: number): Found => ({
  problem: `has more than ${maxKeys} keys`,
  path: [],
});
const tooManyItems = (maxItems: number): Found => ({
  problem: `has more than ${maxItems} items in its lists`,
  path: [],
});

/** Shorter ones are cheaper to count. */
const ASIDE_MIN_CHARS = 1024;
/** What the native parser takes as it is, a byte each. */
const PLAIN = /^[\x20-\x7e]*$/;
const isPlain = (string: string): boolean => string.length > ASIDE_MIN_CHARS && PLAIN.test(string);

/** Index of the closing quote, or of the text's end. */
function endOfString(text: string, start: number): number {
  const quote = text.indexOf('"', start + 1);
  const first = quote < 0 ? text.length : quote;
  let i = text.slice(start + 1, first).indexOf('\\');
  if (i < 0) return first;
  i += start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

function decoded(quoted: string): string | undefined {
  // A raw half of a pair, completed by an escape, would look whole once decoded: it was no Unicode
  // text to begin with.
  if (!quoted.includes('\\') || LONE_SURROGATE.test(quoted)) return quoted.slice(1, -1);
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

const LONE_SURROGATE = /\p{Cs}/u;
function stringProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'contains the character U+0000, which cannot be stored';
  return LONE_SURROGATE.test(text)
    ? 'contains half of a surrogate pair, which is no Unicode text'
    : undefined;
}

function numberAt(text: string, start: number): string | undefined {
  const first = text.charCodeAt(start);
  if (first !== 0x2d && (first < 0x30 || first > 0x39)) return undefined;
  const pattern = /[-+0-9.eE]+/y;
  pattern.lastIndex = start;
  return pattern.exec(text)?.[0];
}

/** NaN is no number of JSON's: the native parser refuses it. */
function numberProblem(value: number): string | undefined {
  if (Math.abs(value) === Infinity) return 'is a number too large to be kept';
  // However written: 1e20 comes out of canonical JSON as digits, and must not be refused only then.
  return Number.isInteger(value) && !Number.isSafeInteger(value)
    ? 'is a whole number beyond 9007199254740991, which would be rounded; send it as text'
    : undefined;
}
