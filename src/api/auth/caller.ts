// The caller: what a verified token contains, and nothing of the token itself. Imports no library of
// tokens.

import { AppError } from '../../contract/errors.ts';
import type { Viewer } from '../../store/queries/visibility.ts';

export type Scope =
  | 'runs:write'
  | 'runs:read'
  | 'runs:cancel'
  | 'runs:approve'
  | 'runs:impersonate'
  | 'knowledge:read'
  | 'knowledge:write'
  | 'admin';

export interface Caller extends Viewer {
  /** The token's `exp`: a stream closes then. */
  readonly expiresAt: Date;
}

/**
 * The Authorization header's values, as they came. AppError UNAUTHENTICATED, or UNAVAILABLE where
 * the key server is away.
 */
export type Authenticate = (authorization: readonly string[]) => Promise<Caller>;

/** No scope implies another, admin none at all. */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.has(scope)) return;
  throw new AppError(
    'INSUFFICIENT_SCOPE',
    `This needs the scope ${scope}, which the token does not have.`,
    {
      headers: { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    },
  );
}
