// What tokens are verified with: one secret, or the keys of a key server. It is asked again for an
// unknown key id, twice in 30 s at most: so a token of a new key is taken at first sight, and junk
// key ids neither flood it nor keep callers out. While it is away the keys it gave last go on, and
// an unknown key, which may be a new one, is not called bad.

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
  | {
      readonly kind: 'secret';
      readonly secret: string;
      /** Demanded of a token where they are set. */
      readonly issuer?: string | null;
      readonly audience?: string | null;
    }
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
/** A caller is answered 503 within the 3 s that everything else allows. */
const FETCH_TIMEOUT_MS = 2500;
/** Junk key ids cost at most two fetches in 30 s. */
const FETCHES = 2;
const FETCHES_WITHIN_MS = 30_000;
/** Far above any set of keys. */
const KEYS_MAX_BYTES = 2 ** 20;
const FAILURE_REMEMBERED_MS = 1000;

export const createKeys = (settings: KeySettings): Keys =>
  settings.kind === 'secret' ? secretKeys(settings) : serverKeys(settings);

function secretKeys({ secret, issuer, audience }: Extract<KeySettings, { kind: 'secret' }>): Keys {
  const key = new TextEncoder().encode(secret);
  if (key.length < SECRET_MIN_BYTES)
    throw new Error(`the secret of tokens must have at least ${SECRET_MIN_BYTES} bytes`);
  const algorithms = ['HS256'];
  return {
    algorithms,
    verify: async (token, options) => {
      const demanded = {
        ...(issuer ? { issuer } : {}),
        ...(audience ? { audience } : {}),
      };
      return (await jwtVerify(token, key, { ...options, ...demanded, algorithms })).payload;
    },
  };
}

function serverKeys({ uri, issuer, audience }: Extract<KeySettings, { kind: 'jwks' }>): Keys {
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
  const server = rememberingFetch();
  const keyOf = createRemoteJWKSet(new URL(uri), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    // How often is decided below.
    cooldownDuration: 0,
    [customFetch]: server.fetch,
  });
  return {
    algorithms,
    verify: async (token, options) => {
      const all = { ...options, algorithms, issuer, audience };
      try {
        return (await jwtVerify(token, keyOf, all)).payload;
      } catch (error) {
        // The set itself is broken: that is not the token's fault.
        if (error instanceof errors.JWKSInvalid)
          throw new KeyServerError('the key server sent no keys', { cause: error });
        if (
          error instanceof errors.JWKSNoMatchingKey &&
          !server.isFresh() &&
          isMeantForUs(token, issuer, audience)
        )
          throw new KeyServerError('the key is unknown, and the key server does not answer');
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
  let keptAt: readonly number[] = [];
  let last: string | undefined;
  const recent = (): readonly number[] =>
    keptAt.filter((at) => performance.now() - at < FETCHES_WITHIN_MS);
  /** As fetch, for jose. Rejects with KeyServerError only where no keys were ever had. */
  const fetch = async (url: string): Promise<Response> => {
    if (recent().length < FETCHES && performance.now() - failedAt >= FAILURE_REMEMBERED_MS) {
      const answer = await callDeclared({
        method: 'GET',
        url,
        headers: { accept: 'application/json' },
        timeoutMs: FETCH_TIMEOUT_MS,
        signal: NEVER,
        maxBytes: KEYS_MAX_BYTES,
      });
      if (answer.kind === 'ANSWER' && answer.status === 200 && isSet(answer.text)) {
        keptAt = [...recent(), performance.now()];
        last = answer.text;
      } else failedAt = performance.now();
    }
    if (last === undefined) throw new KeyServerError('the key server does not answer');
    return new Response(last);
  };
  return { fetch, isFresh: () => recent().length > 0 };
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
