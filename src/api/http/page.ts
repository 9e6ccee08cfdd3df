// Pages: `limit`, `after` and the opaque cursor behind it, and the answer with its Link header.
// Knows no list.

import { z } from 'zod';
import {
  PAGE_MAX_BYTES,
  type After,
  type Listed,
  type PageWanted,
} from '../../store/queries/run-lists.ts';
import { documentedAs } from './documented-as.ts';
import type { Answer, AnswerNote } from './route.ts';

export const LIMIT_DEFAULT = 20;
const LIMIT_WORDING = 'must be a whole number, 1 to 100';

/** What the database can hold as a time, and more than will be needed. */
const LAST_MS = Date.UTC(9999, 11, 31);
const At = z.int().min(0).max(LAST_MS);

/** A cursor is of one list: one of another list is not readable. */
export interface CursorKind {
  readonly read: (text: string) => After | undefined;
  readonly write: (after: After) => string;
}

export function defineCursor(list: string, ids: readonly z.ZodType<string>[]): CursorKind {
  const write = ({ at, ids: values }: After): string =>
    Buffer.from(JSON.stringify([list, at.getTime(), ...values])).toString('base64url');
  return {
    write,
    read: (text) => {
      const parsed = z
        .array(z.unknown())
        .length(ids.length + 2)
        .safeParse(parse(text));
      if (!parsed.success) return undefined;
      const [kind, at, ...values] = parsed.data;
      const time = At.safeParse(at);
      const named = ids.map((schema, i) => schema.safeParse(values[i]));
      if (kind !== list || !time.success || !named.every((id) => id.success)) return undefined;
      const after = { at: new Date(time.data), ids: named.map((id) => id.data) };
      return write(after) === text ? after : undefined;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}

export const LIMIT = z
  .string(LIMIT_WORDING)
  .regex(/^(100|[1-9][0-9]?)$/, LIMIT_WORDING)
  .transform(Number)
  .optional()
  .meta({
    description: 'Items of a page.',
    override: documentedAs({
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: LIMIT_DEFAULT,
    }),
  });

export const AFTER_NOTE = '`nextCursor` of the page before; for events, an event’s id.';

/** The two parameters every list takes. */
export const pageQuery = (cursor: CursorKind) => ({
  limit: LIMIT,
  after: z
    .string('must be given once')
    .max(1000, 'is not a cursor of this list')
    .transform((text, ctx): After => {
      const after = cursor.read(text);
      if (after !== undefined) return after;
      ctx.addIssue({
        code: 'custom',
        message: 'is not a cursor of this list: take nextCursor of the page before',
      });
      return z.NEVER;
    })
    .optional()
    .meta({ description: AFTER_NOTE }),
});

export const pageNote = (schema: z.ZodType): AnswerNote => ({
  description: 'A page.',
  schema,
  headers: ['Link'],
});

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly after?: After | undefined;
}

export const wanted = ({ limit = LIMIT_DEFAULT, after }: PageQuery): PageWanted => ({
  limit,
  after,
});

type Values = Readonly<
  Record<string, string | number | Date | After | readonly string[] | undefined>
>;

/** `query`: as validated; what it holds besides the cursor goes into the Link of the next page. */
export function pageAnswer<T>(
  path: string,
  query: Values,
  cursor: CursorKind,
  { items, places, hasMore: more, end }: Listed<T>,
  present: (item: T) => unknown,
): Answer {
  const data = thatFit(items.map(present));
  const hasMore = more || data.length < items.length;
  const next = data.length < items.length ? places[data.length - 1] : end;
  const nextCursor = hasMore && next !== undefined ? cursor.write(next) : null;
  const kept = Object.entries(query).flatMap(([name, value]): [string, string][] => {
    if (name === 'after' || value === undefined) return [];
    return [[name, value instanceof Date ? value.toISOString() : String(value)]];
  });
  const link =
    nextCursor === null
      ? undefined
      : `<${path}?${new URLSearchParams([...kept, ['after', nextCursor]]).toString()}>; rel="next"`;
  return {
    status: 200,
    ...(link === undefined ? {} : { headers: { Link: link } }),
    body: { data, hasMore, nextCursor },
  };
}

/** As many as a page may come to, the first one always. */
export function thatFit<T>(items: readonly T[]): readonly T[] {
  let bytes = 0;
  const over = items.findIndex(
    (item) => (bytes += Buffer.byteLength(JSON.stringify(item))) > PAGE_MAX_BYTES,
  );
  return over === -1 ? items : items.slice(0, Math.max(1, over));
}
