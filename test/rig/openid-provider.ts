// A real OpenID provider, oidc-provider of npm, on loopback: one public client, one API whose access
// tokens are JWTs, and its own pages for login and consent, where any name and password are taken.

import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { freePort } from './free-port.ts';

export const CLIENT_ID = 'holdpoint-console';
export const AUDIENCE = 'https://holdpoint.example/api';
const SCOPES = 'runs:read runs:write runs:cancel runs:approve';

export interface OpenIdProvider {
  readonly issuer: string;
  readonly close: () => Promise<void>;
}

/** `home`: where the client's page is. Everybody who logs in is of the org `acme`. */
export async function startOpenIdProvider(home: string): Promise<OpenIdProvider> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: 'none',
        redirect_uris: [home],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    pkce: { required: () => true },
    clientBasedCORS: () => true,
    findAccount: (_ctx: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: () => ({ org_id: 'acme' }),
    scopes: ['openid', ...SCOPES.split(' ')],
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: SCOPES,
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  const handle = provider.callback();
  const server = createServer((req, res) => void handle(req, res));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
