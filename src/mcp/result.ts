// A call's result as a model and a record get it: everything that it says as one text; pictures and
// sound beside it, where they can be kept.

import {
  MEDIA_MAX_COUNT,
  MEDIA_TOTAL_MAX_BYTES,
  mediaProblem,
  mediaType,
} from '../contract/media.ts';
import { canonicalJson } from '../json/canonical.ts';
import { isRecord } from '../policy/argument-types.ts';

export interface ResultMedia {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface ReadResult {
  readonly text: string;
  readonly isError: boolean;
  readonly media: readonly ResultMedia[];
}

type Json = Readonly<Record<string, unknown>>;

export function readResult(result: Json): ReadResult {
  const media: ResultMedia[] = [];
  const content: readonly unknown[] = Array.isArray(result['content']) ? result['content'] : [];
  const parts = content.map((part) => partText(part, media));
  const structured = result['structuredContent'];
  const isSaid = (): boolean =>
    parts.some((part) => says(part, structured)) || isOnly(structured, parts.join('\n'));
  if (structured !== undefined && !isSaid()) parts.push(JSON.stringify(structured));
  return {
    text: parts.filter((part) => part !== '').join('\n'),
    isError: result['isError'] === true,
    media,
  };
}

/** Most servers say structured content once more as text. */
function says(text: string, structured: unknown): boolean {
  try {
    return canonicalJson(JSON.parse(text)) === canonicalJson(structured);
  } catch {
    return false;
  }
}

/** Or say the text once more as their only value. */
function isOnly(structured: unknown, text: string): boolean {
  const values = isRecord(structured) ? Object.values(structured) : [];
  return values.length === 1 && values[0] === text;
}

function partText(part: unknown, media: ResultMedia[]): string {
  if (!isRecord(part)) return '[A part that is not understood.]';
  switch (part['type']) {
    case 'text':
      return wordsOf(part['text']);
    case 'image':
    case 'audio':
      return mediaText(part['type'], part, media);
    case 'resource_link':
      return linkText(part);
    case 'resource':
      return isRecord(part['resource']) ? resourceText(part['resource'], media) : '';
    default:
      return `[A part of the type ${JSON.stringify(part['type'] ?? null)}, which is not understood.]`;
  }
}

const wordsOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function mediaText(kind: 'image' | 'audio', part: Json, media: ResultMedia[]): string {
  const word = kind === 'image' ? 'An image' : 'A recording';
  const type = wordsOf(part['mimeType']);
  const bytes = Buffer.from(wordsOf(part['data']), 'base64');
  const about = `${word}: ${type === '' ? 'of no type' : type}, ${bytes.length} bytes`;
  const kept = media.reduce((sum, item) => sum + item.bytes.length, 0) + bytes.length;
  const problem =
    mediaType(type) === undefined
      ? 'its type is not one that can be shown'
      : mediaProblem(type, bytes) !== undefined
        ? `it ${mediaProblem(type, bytes) ?? ''}`
        : media.length === MEDIA_MAX_COUNT || kept > MEDIA_TOTAL_MAX_BYTES
          ? 'there are too many of them'
          : undefined;
  if (problem !== undefined) return `[${about}. It is not shown: ${problem}.]`;
  media.push({ type, bytes });
  return `[${about}.]`;
}

function linkText(link: Json): string {
  const words = [link['title'] ?? link['name'], link['uri'], link['mimeType'], link['description']];
  return `[A resource: ${words.map(wordsOf).filter(Boolean).join(', ')}]`;
}

function resourceText(resource: Json, media: ResultMedia[]): string {
  const { text, blob, uri, mimeType } = resource;
  if (typeof text === 'string') return text;
  const type = wordsOf(mimeType);
  const kind = mediaType(type)?.kind;
  const head = `[A resource: ${[uri, mimeType].map(wordsOf).filter(Boolean).join(', ')}`;
  if (typeof blob !== 'string') return `${head}]`;
  if (kind !== undefined)
    return mediaText(kind === 'vision' ? 'image' : 'audio', { data: blob, mimeType }, media);
  return `${head}, ${Buffer.from(blob, 'base64').length} bytes that are no text]`;
}
