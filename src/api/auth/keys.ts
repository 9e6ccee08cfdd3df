// What tokens are verified with: one secret, or the keys of a key server. jose asks the server again for an unknown key id, at most
// every 30 s; while the server is away it would ask for every token, so a failure is remembered for a second.

import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';

export type KeySettings =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'jwks'; readonly uri: string; readonly issuer: string; readonly audience: string };

export interface Keys {
  readonly algorithms: readonly string[];
  /** Throws KeyServerError where the keys could not be had; anything else means a bad token. */
  readonly verify: (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;
}

export class KeyServerError extends Error {}

const SECRET_MIN_BYTES = 32;
/** A caller hears 503 within the 3 s that everything else allows. */
const FETCH_TIMEOUT_MS = 2500;
const FETCH_COOLDOWN_MS = 30_000;
const FAILURE_REMEMBERED_MS = 1000;

export const createKeys = (settings: KeySettings): Keys =>
  settings.kind === 'secret' ? secretKeys(settings.secret) : serverKeys(settings);

function secretKeys(secret: string): Keys {
  const key = new TextEncoder().encode(secret);
  if (key.length < SECRET_MIN_BYTES) throw new Error(`the secret of tokens must have at least ${SECRET_MIN_BYTES} bytes`);
  const algorithms = ['HS256'];
  return { algorithms, verify: async (token, options) => (await jwtVerify(token, key, { ...options, algorithms })).payload };
}

function serverKeys({ uri, issuer, audience }: Extract<KeySettings, { kind: 'jwks' }>): Keys {
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
  let failedAt = -Infinity;
  const remembering = async (url: string, init: RequestInit): Promise<Response> => {
    if (Date.now() - failedAt < FAILURE_REMEMBERED_MS) throw new KeyServerError('the key server failed a moment ago');
    try {
      const response = await fetch(url, init);
      if (response.status !== 200) throw new Error(`the key server answered ${response.status}`);
      await response.clone().json();
      return response;
    } catch (cause) {
      failedAt = Date.now();
      throw new KeyServerError('the key server does not answer', { cause });
    }
  };
  const keyOf = createRemoteJWKSet(new URL(uri), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: FETCH_COOLDOWN_MS,
    [customFetch]: remembering,
  });
  return {
    algorithms,
    verify: async (token, options) => {
      const all = { ...options, algorithms, issuer, audience };
      try {
        return (await jwtVerify(token, keyOf, all)).payload;
      } catch (error) {
        // The set itself is broken: that is not the token's fault.
        if (error instanceof errors.JWKSInvalid) throw new KeyServerError('the key server sent no keys', { cause: error });
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
        return verifyWithAny(token, error, all);
      }
    },
  };
}

/** A token that names no key id, of a server with several keys of its kind. */
async function verifyWithAny(token: string, keys: errors.JWKSMultipleMatchingKeys, options: JWTVerifyOptions): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}
