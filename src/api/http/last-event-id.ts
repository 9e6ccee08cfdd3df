// Where a stream goes on: the header that browsers send, and `?after=`.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { BEGINNING, POSITION, readPosition, type Position } from '../../contract/position.ts';
import { AFTER_NOTE } from './page.ts';
import type { RouteRequest } from './route.ts';

const NOT_AN_ID = 'is not the id of a frame';

export const AFTER_POSITION = z
  .string('must be given once')
  .regex(POSITION, NOT_AN_ID)
  .transform((text): Position => readPosition(text) ?? BEGINNING)
  .optional()
  .meta({ description: AFTER_NOTE });

/** Newer than `?after=`: a browser that reconnects sends it with the address it was once given. */
export function lastEventId({
  headerValues,
}: Pick<RouteRequest<unknown, unknown>, 'headerValues'>): Position | undefined {
  const [text = '', more] = headerValues('Last-Event-ID');
  if (text === '' && more === undefined) return undefined;
  const position = more === undefined ? readPosition(text.trim()) : undefined;
  if (position !== undefined) return position;
  throw new AppError(
    'INVALID_REQUEST',
    `The Last-Event-ID ${NOT_AN_ID}: send that of the last frame you got, or none.`,
    {
      errors: [{ path: 'Last-Event-ID', message: NOT_AN_ID }],
    },
  );
}
