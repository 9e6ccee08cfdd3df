// Makes a bearer token as an identity provider would. For development and scripts: the API only
// ever verifies.

import { SignJWT } from 'jose';
import type { Config } from '../config.ts';

export interface TokenRequest {
  readonly secret: string;
  readonly config: Pick<Config, 'orgClaim' | 'rolesClaim' | 'maxTokenAgeS'> &
    Partial<Pick<Config, 'auth'>>;
  readonly user: string;
  readonly org: string;
  readonly roles: readonly string[];
  /** Space-separated. */
  readonly scope: string;
  /** Cut to the longest life the API accepts. */
  readonly lifeS: number;
}

/** All scopes but admin: what `npm start` hands out. */
export const EVERYDAY_SCOPE =
  'runs:write runs:read runs:cancel runs:approve runs:impersonate knowledge:read knowledge:write';

export async function makeToken({
  secret,
  config,
  user,
  org,
  roles,
  scope,
  lifeS,
}: TokenRequest): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  const { issuer, audience } = config.auth?.kind === 'secret' ? config.auth : {};
  return new SignJWT({
    sub: user,
    [config.orgClaim]: org,
    [config.rolesClaim]: [...roles],
    scope,
    ...(issuer ? { iss: issuer } : {}),
    ...(audience ? { aud: audience } : {}),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + Math.min(lifeS, config.maxTokenAgeS))
    .sign(new TextEncoder().encode(secret));
}
