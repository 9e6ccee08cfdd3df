// A request's body as a JSON value: bounded in bytes before and after inflating, bounded in time,
// in UTF-8, and unambiguous. Read by the routes that take one, after authentication. Knows no
// schema.

import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import getRawBody from 'raw-body';
import { AppError } from '../../contract/errors.ts';
import { parseStrict } from '../../json/strict.ts';
import type { ApiContext } from './api-context.ts';
import { watchPace } from './slow-clients.ts';

export const BODY_MAX_BYTES = 2 ** 20;

/**
 * Deeper than any schema of ours, and room for a tool's edited arguments; keys are kept in a set
 * while they are read.
 */
const STRICT_LIMITS = { maxDepth: 32, maxKeys: 2000 };

const inflate = promisify(gunzip);

export interface BodyLimits {
  readonly maxBytes: number;
  /**
   * Bytes that do not count towards BODY_MAX_BYTES, where `maxBytes` is above it: those of media.
   */
  readonly uncounted?: (value: unknown) => number;
}

export async function readJsonBody(
  ctx: ApiContext,
  { maxBytes, uncounted }: BodyLimits,
): Promise<unknown> {
  checkContentType(ctx);
  const encoding = (ctx.get('Content-Encoding') || 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      'The body may be sent as it is or as gzip; this Content-Encoding is not accepted.',
    );
  const sent = await receive(ctx.req, maxBytes);
  const bytes = encoding === 'gzip' ? await inflated(sent, maxBytes) : sent;
  const parsed = parseStrict(textOf(bytes), STRICT_LIMITS);
  if (!parsed.ok) throw new AppError('MALFORMED_JSON', parsed.problem);
  if (bytes.length - (uncounted?.(parsed.value) ?? 0) > BODY_MAX_BYTES && maxBytes > BODY_MAX_BYTES)
    throw tooLarge(BODY_MAX_BYTES);
  return parsed.value;
}

function checkContentType({ request }: ApiContext): void {
  const charset = request.charset.toLowerCase();
  if (
    request.type.trim().toLowerCase() === 'application/json' &&
    (charset === '' || charset === 'utf-8' || charset === 'utf8')
  )
    return;
  throw new AppError(
    'UNSUPPORTED_MEDIA_TYPE',
    'The body must be JSON in UTF-8 (Content-Type: application/json).',
  );
}

async function receive(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  let stopWatching: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    stopWatching = watchPace(req, () =>
      reject(
        new AppError(
          'INVALID_REQUEST',
          'The body came too slowly: send at least 64 KiB in five seconds.',
          {
            headers: { Connection: 'close' },
          },
        ),
      ),
    );
  });
  try {
    return await Promise.race([
      getRawBody(req, { limit: maxBytes, length: req.headers['content-length'] ?? null }),
      late,
    ]);
  } catch (error) {
    if (error instanceof Error && 'type' in error && error.type === 'entity.too.large')
      throw tooLarge(maxBytes);
    throw error;
  } finally {
    stopWatching();
  }
}

async function inflated(sent: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await inflate(sent, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(maxBytes);
    throw new AppError('MALFORMED_JSON', 'The body is not the gzip it is said to be.', {
      cause: error,
    });
  }
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('MALFORMED_JSON', 'The body is not UTF-8.', { cause });
  }
}

const tooLarge = (maxBytes: number): AppError =>
  new AppError(
    'PAYLOAD_TOO_LARGE',
    `The body is larger than ${maxBytes} bytes${maxBytes === BODY_MAX_BYTES ? ' without media' : ''}.`,
  );
