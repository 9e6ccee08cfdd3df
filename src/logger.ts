// Logs: JSON lines on stderr, so that what people read on stdout stays readable. Secrets are
// struck out by their names. Reads no settings of its own; bodies, messages, arguments and results
// are never logged.

import { isNativeError } from 'node:util/types';
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
  'taskToken',
];

/**
 * What an error is, with its causes in message and stack. Whatever else hangs on it stays out of
 * the log: a database names the row in `detail`, an HTTP client keeps bodies and headers.
 */
function serializeError(error: unknown): unknown {
  // A workflow's error is of another realm.
  if (!(error instanceof Error || isNativeError(error))) return error;
  const { type, message, stack, code, aggregateErrors } = pino.stdSerializers.err(error);
  return {
    type,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(aggregateErrors === undefined
      ? {}
      : { aggregateErrors: aggregateErrors.map((one: Error) => one.message) }),
  };
}

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
      serializers: { err: serializeError, error: serializeError },
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
