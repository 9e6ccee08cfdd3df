// Who a transaction is: the service's role, and the org or the part of us that works in it. The
// policies of migrations/0002 go by these settings, which end with the transaction.

import pg from 'pg';
import { SERVICE_ROLE } from './migrations/tenant-policies.ts';

export type As = 'worker' | 'reconciler' | { readonly org: string };

/**
 * Begins a transaction in a role: one message on the way of each. The role first, or a refusal
 * would leave the rest set.
 */
export function beginAs(as: As): string {
  const [name, value] = typeof as === 'string' ? ['holdpoint.as', as] : ['holdpoint.org', as.org];
  const settings = [
    ['role', SERVICE_ROLE],
    [name, value],
  ].map(([key = '', text = '']) => `set_config('${key}', ${pg.escapeLiteral(text)}, true)`);
  return `begin; select ${settings.join(', ')}`;
}
