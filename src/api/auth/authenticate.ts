// From an Authorization header to a caller, by jose alone. Not by koa-jwt: that takes tokens
// without exp, with an unknown crit, a wrong typ, an iat in the future, a life of years and a
// subject that is no text, and each would have to be looked for behind its back. Every refusal is a
// 401 without a word about keys; a key server that is away is a 503, since the token may be a good
// one.

import type { JWTPayload } from 'jose';
import { AppError } from '../../contract/errors.ts';
import { MACHINERY } from '../../contract/names.ts';
import { SubjectSchema } from '../../contract/subject.ts';
import type { Authenticate, Caller } from './caller.ts';
import { createKeys, KeyServerError, type KeySettings } from './keys.ts';
import { headerProblem, segment } from './token-text.ts';

export interface AuthenticateConfig {
  readonly auth: KeySettings;
  readonly orgClaim: string;
  readonly rolesClaim: string;
  readonly serviceClaim: string;
  /** Longest life, exp - iat. */
  readonly maxTokenAgeS: number;
}

const CLOCK_SKEW_S = 30;
const BEARER = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*) *$/i;

export function createAuthenticate(config: AuthenticateConfig): Authenticate {
  const keys = createKeys(config.auth);
  return async (authorization) => {
    const [header, more] = authorization;
    if (header === undefined || !/^Bearer\b/i.test(header))
      throw new AppError(
        'UNAUTHENTICATED',
        'This needs a bearer token in the Authorization header.',
        {
          headers: { 'WWW-Authenticate': 'Bearer' },
        },
      );
    const token = more === undefined ? BEARER.exec(header)?.[1] : undefined;
    if (token === undefined)
      throw refused('The Authorization header holds no token of the form that is accepted here.');

    const head = segment(token, 0);
    const problem = head === undefined ? 'cannot be read' : headerProblem(head, keys.algorithms);
    if (problem !== undefined) throw refused(`The token ${problem}.`);
    let payload: JWTPayload;
    try {
      payload = await keys.verify(token, {
        clockTolerance: CLOCK_SKEW_S,
        requiredClaims: ['exp', 'iat'],
      });
    } catch (cause) {
      if (cause instanceof KeyServerError)
        throw new AppError(
          'UNAVAILABLE',
          'The keys that tokens are verified with cannot be had right now. Try again.',
          {
            headers: { 'Retry-After': String(cause.retryAfterS) },
            cause,
          },
        );
      throw refused(
        'The token is not valid: wrongly signed, expired, not valid yet, or not meant for this service.',
        cause,
      );
    }
    if (segment(token, 1) === undefined)
      throw refused('The token names a claim twice or holds what cannot be read.');
    return callerOf(payload, config);
  };
}

const refused = (detail: string, cause?: unknown): AppError =>
  new AppError('UNAUTHENTICATED', detail, {
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
    cause,
  });

function callerOf(payload: JWTPayload, config: AuthenticateConfig): Caller {
  const { exp, iat, sub } = payload;
  if (typeof exp !== 'number' || typeof iat !== 'number')
    throw refused('The token does not say when it was made and when it ends.');
  if (iat > Date.now() / 1000 + CLOCK_SKEW_S) throw refused('The token was made in the future.');
  if (exp - iat > config.maxTokenAgeS)
    throw refused('The token lives longer than is accepted here.');
  const org = payload[config.orgClaim];
  if (!isSubject(sub)) throw refused('The token names no usable subject.');
  if (MACHINERY.includes(sub.toLowerCase()))
    throw refused(`The subject "${sub}" is kept for what no token does.`);
  if (!isSubject(org)) throw refused('The token names no usable organisation.');
  const roles = payload[config.rolesClaim];
  return {
    subject: sub,
    orgId: org,
    scopes: new Set([...words(payload['scope']), ...words(payload['scp'])]),
    roles: Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : [],
    // Identity providers give it as a text, a number or a list: only its absence means a person.
    service: ![undefined, false].includes(payload[config.serviceClaim] as undefined | false),
    expiresAt: new Date(exp * 1000),
  };
}

const isSubject = (value: unknown): value is string => SubjectSchema.safeParse(value).success;

const words = (claim: unknown): readonly string[] => {
  if (typeof claim === 'string') return claim.split(' ').filter((word) => word !== '');
  return Array.isArray(claim) ? claim.filter((word) => typeof word === 'string') : [];
};
