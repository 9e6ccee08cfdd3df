// Logs: JSON lines on stderr, so that what a person is told on stdout stays readable. Secrets are
// struck out by their names. Reads no settings of its own; bodies, messages, arguments and results
// are nobody's to log.

import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

const SECRET_FIELDS = [
  'authorization',
  'Authorization',
  'cookie',
  'token',
  'secret',
  'apiKey',
  'api_key',
  'password',
  'privateKey',
];

export interface LoggerOptions {
  readonly level: string;
  /** api, worker, start: which process a line comes from. */
  readonly name?: string;
  readonly destination?: DestinationStream;
}

export function createLogger({ level, name, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      ...(name === undefined ? {} : { name }),
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [
          field,
          `*.${field}`,
          `*.*.${field}`,
          `*.*.*.${field}`,
        ]),
        censor: '[secret]',
      },
    },
    // Written at once: the lines before a kill are the ones that are looked for.
    destination ?? pino.destination({ fd: 2, sync: true }),
  );
}
