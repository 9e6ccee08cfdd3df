// What tokens are verified with, and where people sign in: settings that only go together.

import type { SettingsReader } from './read.ts';
import { isSecretSet, secretOf } from './secret-files.ts';
import { key } from './values.ts';

export type AuthSettings =
  | {
      readonly kind: 'secret';
      readonly secret: string;
      /** Demanded where they are set. */
      readonly issuer?: string | null;
      readonly audience?: string | null;
    }
  | {
      readonly kind: 'jwks';
      readonly uri: string;
      readonly issuer: string;
      readonly audience: string;
    }
  /** Neither set, not in production: a secret of our own, kept under the data directory. */
  | { readonly kind: 'development' };

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
}

/** `secretDemanded`: this process verifies tokens, in production. */
export function readAuth(settings: SettingsReader, secretDemanded: boolean): AuthSettings {
  const { read, isSet, problem } = settings;
  const secret = secretOf(settings, 'JWT_SECRET', key);
  const given = isSecretSet(settings, 'JWT_SECRET');
  const uri = read('JWKS_URI');
  const issuer = read('JWT_ISSUER');
  const audience = read('JWT_AUDIENCE');
  if (isSet('JWKS_URI')) {
    if (given) problem('JWT_SECRET and JWKS_URI are both set: use one.');
    if (issuer === null || audience === null)
      problem('JWKS_URI needs JWT_ISSUER and JWT_AUDIENCE too.');
    return { kind: 'jwks', uri: uri ?? '', issuer: issuer ?? '', audience: audience ?? '' };
  }
  if (secret !== null) return { kind: 'secret', secret, issuer, audience };
  if (issuer !== null || audience !== null)
    problem('JWT_ISSUER and JWT_AUDIENCE need JWT_SECRET or JWKS_URI, and neither is set.');
  if (secretDemanded && !given)
    problem('JWT_SECRET (at least 32 bytes) or JWKS_URI must be set when NODE_ENV is production.');
  return { kind: 'development' };
}

export function readOidc({ read, problem }: SettingsReader): OidcSettings | null {
  const issuer = read('OIDC_ISSUER');
  const clientId = read('OIDC_CLIENT_ID');
  if ((issuer === null) !== (clientId === null))
    problem('OIDC_ISSUER and OIDC_CLIENT_ID go together.');
  return issuer === null || clientId === null ? null : { issuer, clientId };
}
