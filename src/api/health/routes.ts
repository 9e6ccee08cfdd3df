// Is the process alive, and can it take work? For balancers and launchers: no token, no hosts, no
// names.

import { AppError } from '../../contract/errors.ts';
import type { AppDeps } from '../app.ts';
import { defineRoute, type Route } from '../http/route.ts';

export const healthRoutes = ({ notReady }: Pick<AppDeps, 'notReady'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/health/live',
    scope: 'open',
    handle: async () => ({ status: 200, body: { status: 'live' } }),
  }),
  defineRoute({
    method: 'GET',
    path: '/health/ready',
    scope: 'open',
    handle: async () => {
      const problems = await notReady();
      if (problems.length > 0) throw new AppError('UNAVAILABLE', problems.join(' '));
      return { status: 200, body: { status: 'ready' } };
    },
  }),
];
