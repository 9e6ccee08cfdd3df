// Query parameters that several routes take, each with the words it is refused in.

import { z } from 'zod';
import { RUN_STATUS } from '../../contract/names.ts';
import { SubjectSchema } from '../../contract/subject.ts';
import { documentedAs } from './documented-as.ts';

const DAY_MS = 86_400_000;
const TIME_WORDING =
  'must be a time (RFC 3339, for example 2026-01-31T12:00:00Z) or a date (2026-01-31)';

/** A date means its whole day in UTC: as `from` it is the day's beginning, as `to` its end. */
export const timeOf = (edge: 'from' | 'to', what = 'Started') =>
  z
    .string(TIME_WORDING)
    .refine(
      (text) => z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(text).success,
      TIME_WORDING,
    )
    .transform((text) => {
      const at = new Date(text);
      return edge === 'to' && !text.includes('T') ? new Date(at.getTime() + DAY_MS) : at;
    })
    .optional()
    .meta({
      description:
        edge === 'from'
          ? `${what} at or after this time; a date is the beginning of its day in UTC.`
          : `${what} before this time; a date is the end of its day in UTC.`,
      override: documentedAs({
        anyOf: [
          { type: 'string', format: 'date-time' },
          { type: 'string', format: 'date' },
        ],
      }),
    });

const short = (wording: string) => z.string(wording).regex(/^[\x21-\x7e]{1,200}$/, wording);

export const FROM = timeOf('from');
export const TO = timeOf('to');
export const USER_ID = SubjectSchema.optional().meta({ description: 'Of this user.' });
export const AGENT_ID = short('must be an agent’s id')
  .optional()
  .meta({ description: 'Of this agent.' });
export const REQUEST_ID = short('must be a request’s id')
  .optional()
  .meta({ description: 'Started by the request with this `X-Request-Id`.' });

const ONE_STATUS = z.enum(RUN_STATUS);
const STATUS_WORDING = `must be one or more of ${RUN_STATUS.join(', ')}, separated by commas`;
/** Several at once: `COMPLETED,FAILED`. A pattern, so that the document shows it. */
export const STATUS = z
  .string(STATUS_WORDING)
  .regex(
    new RegExp(`^(?:${RUN_STATUS.join('|')})(?:,(?:${RUN_STATUS.join('|')})){0,9}$`),
    STATUS_WORDING,
  )
  .transform((text) => text.split(',').map((status) => ONE_STATUS.parse(status)))
  .optional()
  .meta({ description: 'In one of these states, separated by commas.' });

/** As it is stored and compared; undefined where it can be no session's. */
export const sessionIdFrom = (text: string): string | undefined =>
  z.uuid().safeParse(text).success ? text.toLowerCase() : undefined;
export const SESSION_ID = z
  .uuid('must be a UUID')
  .transform((id) => id.toLowerCase())
  .optional()
  .meta({ description: 'Of this session.' });

/** Whole seconds, up to the server's maximum. */
export function waitUpTo(maxMs: number) {
  const maxS = Math.floor(maxMs / 1000);
  const wording = `must be a whole number of seconds, 0 to ${maxS}`;
  return z
    .string(wording)
    .regex(/^\d{1,6}$/, wording)
    .transform(Number)
    .refine((seconds) => seconds <= maxS, wording)
    .optional()
    .meta({
      description:
        'Seconds to wait for the run to settle, or the inbox to change, up to the server’s maximum.',
      override: documentedAs({ type: 'integer', minimum: 0, maximum: maxS }),
    });
}
