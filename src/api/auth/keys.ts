// What tokens are verified with: one secret, or the keys of a key server. jose asks the server
// again for an unknown key id, but not within 15 s of the last time; a token that comes in between
// and names an unknown key may be a good one of a new key, so it is not called bad. While the
// server is away the keys it gave last go on.

import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyOptions,
} from 'jose';
import { callDeclared } from '../../egress/fetch-declared.ts';

export type KeySettings =
  | { readonly kind: 'secret'; readonly secret: string }
  | {
      readonly kind: 'jwks';
      readonly uri: string;
      readonly issuer: string;
      readonly audience: string;
    };

export interface Keys {
  readonly algorithms: readonly string[];
  /** Throws KeyServerError where the keys could not be had; anything else means a bad token. */
  readonly verify: (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;
}

export class KeyServerError extends Error {
  readonly retryAfterS: number;
  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.retryAfterS = Math.max(1, Math.ceil((options.retryAfterMs ?? 0) / 1000));
  }
}

const SECRET_MIN_BYTES = 32;
/** A caller hears 503 within the 3 s that everything else allows. */
const FETCH_TIMEOUT_MS = 2500;
/** Junk key ids cost at most two fetches in 30 s. */
const FETCH_COOLDOWN_MS = 15_000;
/** Far above any set of keys. */
const KEYS_MAX_BYTES = 2 ** 20;
const FAILURE_REMEMBERED_MS = 1000;

export const createKeys = (settings: KeySettings): Keys =>
  settings.kind === 'secret' ? secretKeys(settings.secret) : serverKeys(settings);

function secretKeys(secret: string): Keys {
  const key = new TextEncoder().encode(secret);
  if (key.length < SECRET_MIN_BYTES)
    throw new Error(`the secret of tokens must have at least ${SECRET_MIN_BYTES} bytes`);
  const algorithms = ['HS256'];
  return {
    algorithms,
    verify: async (token, options) =>
      (await jwtVerify(token, key, { ...options, algorithms })).payload,
  };
}

function serverKeys({ uri, issuer, audience }: Extract<KeySettings, { kind: 'jwks' }>): Keys {
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
  const server = rememberingFetch();
  const keyOf = createRemoteJWKSet(new URL(uri), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: FETCH_COOLDOWN_MS,
    [customFetch]: server.fetch,
  });
  return {
    algorithms,
    verify: async (token, options) => {
      const all = { ...options, algorithms, issuer, audience };
      const cameAt = performance.now();
      try {
        return (await jwtVerify(token, keyOf, all)).payload;
      } catch (error) {
        // The set itself is broken: that is not the token's fault.
        if (error instanceof errors.JWKSInvalid)
          throw new KeyServerError('the key server sent no keys', { cause: error });
        if (
          error instanceof errors.JWKSNoMatchingKey &&
          server.heardAt() < cameAt &&
          isMeantForUs(token, issuer, audience)
        )
          throw new KeyServerError(
            'the key is unknown, and the key server was asked a moment ago',
            {
              retryAfterMs: FETCH_COOLDOWN_MS - (cameAt - server.askedAt()),
            },
          );
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
        return verifyWithAny(token, error, all);
      }
    },
  };
}

/** Of the token's own word, unverified: whether it is worth a second look. */
function isMeantForUs(token: string, issuer: string, audience: string): boolean {
  try {
    const { iss, aud, exp = 0 } = decodeJwt(token);
    return iss === issuer && [aud].flat().includes(audience) && exp * 1000 > Date.now();
  } catch {
    return false;
  }
}

function rememberingFetch() {
  let failedAt = -Infinity;
  let askedAt = -Infinity;
  let heardAt = -Infinity;
  let last: string | undefined;
  /** As fetch, for jose. Rejects with KeyServerError only where no keys were ever had. */
  const fetch = async (url: string): Promise<Response> => {
    if (performance.now() - failedAt >= FAILURE_REMEMBERED_MS) {
      askedAt = performance.now();
      const answer = await callDeclared({
        method: 'GET',
        url,
        headers: { accept: 'application/json' },
        timeoutMs: FETCH_TIMEOUT_MS,
        signal: NEVER,
        maxBytes: KEYS_MAX_BYTES,
      });
      if (answer.kind === 'ANSWER' && answer.status === 200 && isSet(answer.text)) {
        heardAt = performance.now();
        last = answer.text;
      } else failedAt = performance.now();
    }
    if (last === undefined) throw new KeyServerError('the key server does not answer');
    return new Response(last);
  };
  return { fetch, askedAt: () => askedAt, heardAt: () => heardAt };
}

const NEVER = new AbortController().signal;

function isSet(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (
      typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys)
    );
  } catch {
    return false;
  }
}

/** A token that names no key id, of a server with several keys of its kind. */
async function verifyWithAny(
  token: string,
  keys: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}
