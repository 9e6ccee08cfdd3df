// The console at /: its page and parts, what the page has to know before a user is signed in, and
// development's one-time code. Nothing here has power: the page calls the public API with the
// person's own token.

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ConsoleSettings } from '../../contract/console.ts';
import { AppError } from '../../contract/errors.ts';
import type { ApiContext, ApiMiddleware } from '../http/api-context.ts';
import { readJsonBody } from '../http/body.ts';
import { validate } from '../http/validate.ts';
import { sendFile, type StaticFile } from '../http/static-files.ts';
import { pagePolicy } from './page.ts';

export interface ConsoleDeps {
  readonly files: ReadonlyMap<string, StaticFile>;
  readonly settings: ConsoleSettings;
  /** Development's: a token for the code of the printed link, once. */
  readonly exchange?: (code: string) => Promise<string | undefined>;
}

const CodeSchema = z.strictObject({ code: z.string().min(1).max(200) });
const CODE_MAX_BYTES = 1000;

export function consoleLayer({ files, settings, exchange }: ConsoleDeps): ApiMiddleware {
  const issuer = settings.signIn.kind === 'oidc' ? settings.signIn.issuer : null;
  return async (ctx, next) => {
    const reading = ctx.method === 'GET' || ctx.method === 'HEAD';
    if (ctx.path === '/' && reading) return page(ctx, files, issuer);
    if (ctx.path === '/console/settings' && reading) return void (ctx.body = settings);
    if (ctx.path === '/console/sign-in' && ctx.method === 'POST' && exchange !== undefined)
      return signIn(ctx, exchange);
    const name = /^\/console\/([\w.-]+)$/.exec(ctx.path)?.[1];
    const file = name === undefined || name === 'index.html' ? undefined : files.get(name);
    if (file !== undefined && reading) return sendFile(ctx, file);
    return next();
  };
}

function page(
  ctx: ApiContext,
  files: ReadonlyMap<string, StaticFile>,
  issuer: string | null,
): void {
  const file = files.get('index.html');
  if (file === undefined)
    throw new AppError('NOT_FOUND', 'The console was not built: npm run build:console does it.');
  const nonce = randomBytes(16).toString('base64');
  ctx.set('Content-Security-Policy', pagePolicy(issuer, nonce));
  ctx.type = file.type;
  ctx.body = file.bytes.toString('utf8').replace('%NONCE%', nonce);
}

async function signIn(
  ctx: ApiContext,
  exchange: NonNullable<ConsoleDeps['exchange']>,
): Promise<void> {
  const { code } = validate(
    CodeSchema,
    await readJsonBody(ctx, { maxBytes: CODE_MAX_BYTES }),
    'body',
  );
  const token = await exchange(code);
  if (token === undefined)
    throw new AppError('FORBIDDEN', 'This code was used already, is too old, or is none of ours.');
  ctx.body = { token };
}
