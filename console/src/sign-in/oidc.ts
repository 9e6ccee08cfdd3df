// Signing in at the organisation's own identity provider: authorization code with PKCE, state and
// nonce, by oidc-client-ts. Tokens stay in this page's memory; only what a redirect has to find
// again (state, verifier) is in session storage.

import { InMemoryWebStorage, UserManager, WebStorageStateStore, type User } from 'oidc-client-ts';
import { v4 as uuid } from 'uuid';
import type { ConsoleSettings } from '../../../src/contract/console.ts';

type OidcSettings = Extract<ConsoleSettings['signIn'], { kind: 'oidc' }>;

const SCOPES = 'openid profile runs:read runs:write runs:cancel runs:approve';

/** What the answer has to fit, and where the person was. */
interface Asked {
  readonly nonce: string;
  readonly place: string;
}

/** Of an answer to this very request: its identity token carries the request's nonce. */
function tokenOf(user: User): string {
  if (user.profile.nonce !== (user.state as Asked).nonce)
    throw new Error('the identity token is not of this request');
  return user.access_token;
}

export interface Oidc {
  /** The token of a redirect that has just come back; undefined where there was none. */
  readonly returned: () => Promise<string | undefined>;
  /** Leaves the page. */
  readonly redirect: () => Promise<void>;
  /** In a window of its own, so that what is typed here stays. */
  readonly again: () => Promise<string | undefined>;
  readonly onRenewed: (listener: (token: string) => void) => void;
}

export function createOidc({ issuer, clientId, audience }: OidcSettings): Oidc {
  const home = `${location.origin}/`;
  const manager = new UserManager({
    authority: issuer,
    client_id: clientId,
    redirect_uri: home,
    response_type: 'code',
    scope: SCOPES,
    // RFC 8707, and the name that some providers have for it.
    ...(audience === null ? {} : { resource: audience, extraQueryParams: { audience } }),
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
    automaticSilentRenew: true,
    monitorSession: false,
    // The nonce is one of them, and is compared below.
    filterProtocolClaims: false,
  });
  const asking = (): { nonce: string; state: Asked } => {
    const nonce = uuid();
    return { nonce, state: { nonce, place: `/${location.hash}` } };
  };
  return {
    returned: async () => {
      const answer = new URLSearchParams(location.search);
      if (!answer.has('state')) return undefined;
      if (window.opener !== null) {
        await manager.signinPopupCallback();
        return undefined;
      }
      try {
        const user = await manager.signinRedirectCallback();
        history.replaceState(null, '', (user.state as Asked).place);
        return tokenOf(user);
      } catch (error) {
        history.replaceState(null, '', '/');
        throw error;
      }
    },
    redirect: () => manager.signinRedirect(asking()),
    again: async () => tokenOf(await manager.signinPopup(asking())),
    onRenewed: (listener) => manager.events.addUserLoaded((user) => listener(user.access_token)),
  };
}
