// Is the process alive, and can it take work? For balancers and launchers: no token, no hosts, no
// names.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import type { AppDeps } from '../deps.ts';
import { defineRoute, type Route } from '../http/route.ts';

const HealthSchema = z.object({ status: z.enum(['live', 'ready']) }).meta({ id: 'Health' });

export const healthRoutes = ({ notReady }: Pick<AppDeps, 'notReady'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/health/live',
    scope: 'open',
    id: 'isLive',
    tag: 'service',
    summary: 'Is the process alive?',
    answers: { 200: { description: 'It is.', schema: HealthSchema } },
    handle: async () => ({ status: 200, body: { status: 'live' } }),
  }),
  defineRoute({
    method: 'GET',
    path: '/health/ready',
    scope: 'open',
    id: 'isReady',
    tag: 'service',
    summary: 'Can it take work?',
    answers: { 200: { description: 'It can.', schema: HealthSchema } },
    refusals: ['UNAVAILABLE'],
    handle: async () => {
      const problems = await notReady();
      if (problems.length > 0) throw new AppError('UNAVAILABLE', problems.join(' '));
      return { status: 200, body: { status: 'ready' } };
    },
  }),
];
