// A request's body as a JSON value: bounded in bytes before and after inflating, bounded in time,
// in UTF-8, and unambiguous; those of all requests together bounded too. Read by the routes that take one, after authentication. Knows no
// schema.

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import getRawBody from 'raw-body';
import { AppError } from '../../contract/errors.ts';
import { parseStrict, type JsonPath } from '../../json/strict.ts';
import type { ApiContext } from './api-context.ts';
import { createBodyBudget, type BodyShare } from './body-budget.ts';
import { watchPace } from './slow-clients.ts';

export const BODY_MAX_BYTES = 2 ** 20;

/**
 * Deeper than any schema of ours, and room for a tool's edited arguments; keys are kept in a set
 * while they are read, and an item is fifty bytes of memory for two that are sent.
 */
const STRICT_LIMITS = { maxDepth: 32, maxKeys: 2000, maxItems: 10_000, maxBytes: BODY_MAX_BYTES };

export interface BodyLimits {
  readonly maxBytes: number;
  /**
   * Texts whose bytes do not count towards BODY_MAX_BYTES, where `maxBytes` is above it: media.
   */
  readonly uncounted?: (path: JsonPath) => boolean;
  /** How many bytes count at most; BODY_MAX_BYTES where it is left out. */
  readonly countedMaxBytes?: number;
}

const budget = createBodyBudget();

/** The body as bytes, of any type; none longer than `maxBytes`. */
export async function readBodyBytes<T>(
  ctx: ApiContext,
  maxBytes: number,
  use: (bytes: Buffer) => T | Promise<T>,
): Promise<T> {
  const encoding = (ctx.get('Content-Encoding') || 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      'The body may be sent as it is or as gzip; this Content-Encoding is not accepted.',
    );
  const { caller } = ctx.state;
  const share = budget.open(caller === undefined ? '' : `${caller.orgId} ${caller.subject}`);
  try {
    return await use(await receive(ctx.req, { maxBytes, gzip: encoding === 'gzip', share }));
  } finally {
    share.close();
  }
}

export async function readJsonBody(
  ctx: ApiContext,
  { maxBytes, uncounted, countedMaxBytes = BODY_MAX_BYTES }: BodyLimits,
): Promise<unknown> {
  checkContentType(ctx);
  return readBodyBytes(ctx, maxBytes, (bytes) => {
    const counted = { ...STRICT_LIMITS, maxBytes: countedMaxBytes };
    const parsed = parseStrict(
      textOf(bytes),
      uncounted === undefined ? counted : { ...counted, uncounted },
    );
    if (parsed.ok) return parsed.value;
    if (parsed.tooLarge) throw tooLarge(countedMaxBytes);
    throw new AppError('MALFORMED_JSON', parsed.problem);
  });
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

interface Receiving {
  readonly maxBytes: number;
  readonly gzip: boolean;
  readonly share: BodyShare;
}

async function receive(
  req: IncomingMessage,
  { maxBytes, gzip, share }: Receiving,
): Promise<Buffer> {
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  let stopWatching: () => void = () => undefined;
  let refuse: (error: AppError) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
    stopWatching = watchPace(req, () => reject(tooSlow()));
  });
  req.once('aborted', () => refuse(cutShort()));
  // Inflated as it comes: what is too large is not inflated to its end.
  const stream: Readable = gzip ? req.pipe(createGunzip()) : req;
  stream.on('data', (chunk: Buffer) => share.take(chunk.length) || refuse(tooMuchAtOnce()));
  try {
    const length = gzip ? null : (req.headers['content-length'] ?? null);
    return await Promise.race([getRawBody(stream, { limit: maxBytes, length }), refused]);
  } catch (cause) {
    throw gzip ? notGzip(cause, maxBytes) : notReceived(cause, maxBytes);
  } finally {
    stopWatching();
    stream.removeAllListeners('data');
    if (stream !== req) {
      req.unpipe();
      stream.destroy();
    }
  }
}

const notReceived = (cause: unknown, maxBytes: number): unknown =>
  cause instanceof Error && 'type' in cause && cause.type === 'entity.too.large'
    ? tooLarge(maxBytes)
    : cause;

function notGzip(cause: unknown, maxBytes: number): unknown {
  const error = notReceived(cause, maxBytes);
  const isOfZlib = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
  return isOfZlib
    ? new AppError('MALFORMED_JSON', 'The body is not the gzip it is said to be.', { cause })
    : error;
}

const CLOSE = { Connection: 'close' };

const tooSlow = (): AppError =>
  new AppError(
    'INVALID_REQUEST',
    'The body came too slowly: send at least 64 KiB in five seconds.',
    { headers: CLOSE },
  );

const cutShort = (): AppError =>
  new AppError('INVALID_REQUEST', 'The body was not sent to its end.');

const tooMuchAtOnce = (): AppError =>
  new AppError('UNAVAILABLE', 'Too many large bodies are being received right now. Try again.', {
    headers: { ...CLOSE, 'Retry-After': '2' },
  });

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
