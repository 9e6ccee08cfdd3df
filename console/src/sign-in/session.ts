// Who is signed in on this page. The token is in memory; development's own also survives a reload
// of the tab, since its link works once.

import type { ConsoleSettings } from '../../../src/contract/console.ts';
import type { Oidc } from './oidc.ts';

export interface Session {
  readonly settings: ConsoleSettings;
  readonly token: () => string | undefined;
  readonly signIn: (token: string) => void;
  /** Redirect or window of the identity provider; undefined where there is none. */
  readonly oidc: Oidc | undefined;
}

const KEPT = 'holdpoint-development-token';

/** `problem`: why a link or a redirect did not sign anybody in. */
export async function openSession(
  settings: ConsoleSettings,
): Promise<{ readonly session: Session; readonly problem?: string }> {
  let token: string | undefined;
  const keep = settings.signIn.kind === 'link';
  const signIn = (given: string): void => {
    token = given;
    if (keep) sessionStorage.setItem(KEPT, given);
  };
  const session = (oidc?: Oidc): Session => ({ settings, token: () => token, signIn, oidc });
  if (settings.signIn.kind === 'oidc') {
    const { createOidc } = await import('./oidc.ts');
    const oidc = createOidc(settings.signIn);
    oidc.onRenewed(signIn);
    try {
      token = await oidc.returned();
      return { session: session(oidc) };
    } catch {
      const problem = 'The identity provider did not sign you in. Try again.';
      return { session: session(oidc), problem };
    }
  }
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (code !== undefined) {
    // The code is used up by this: it must not stay in the history.
    history.replaceState(null, '', '/#/inbox');
    const exchanged = await exchange(code);
    if (exchanged === undefined)
      return {
        session: session(),
        problem:
          'This link was used already, or it is older than ten minutes. Paste the token that npm start has printed.',
      };
    signIn(exchanged);
  } else if (keep) token = sessionStorage.getItem(KEPT) ?? undefined;
  return { session: session() };
}

async function exchange(code: string): Promise<string | undefined> {
  const response = await fetch('/console/sign-in', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ code }),
  });
  return response.ok ? ((await response.json()) as { token: string }).token : undefined;
}

export interface Claims {
  readonly subject: string;
  readonly orgId: string;
  readonly scopes: ReadonlySet<string>;
  readonly expiresAt: number | undefined;
}

/** What the token says of its holder, for display: the server alone decides what it is worth. */
export function claimsOf(token: string): Claims | undefined {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const scope = claims['scope'] ?? claims['scp'];
    const words = Array.isArray(scope) ? scope : typeof scope === 'string' ? scope.split(' ') : [];
    return {
      subject: String(claims['sub'] ?? ''),
      orgId: String(claims['org_id'] ?? ''),
      scopes: new Set(words.map(String)),
      expiresAt: typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : undefined,
    };
  } catch {
    return undefined;
  }
}
