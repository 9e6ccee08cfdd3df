// What runs have used: of the caller himself, or, with `admin`, of his org.

import { z } from 'zod';
import { UsageSchema, type Usage, type UsageDay } from '../../contract/lists.ts';
import { readUsage } from '../../store/queries/usage.ts';
import type { AppDeps } from '../deps.ts';
import { AGENT_ID, FROM, TO, USER_ID } from '../http/query-fields.ts';
import { defineRoute, type Route } from '../http/route.ts';

const DAY_MS = 86_400_000;
/** Default: today and the 29 days before it. */
const DAYS_DEFAULT = 30;

const UsageQuery = z.strictObject({ userId: USER_ID, agentId: AGENT_ID, from: FROM, to: TO });

export const usageRoutes = ({ store }: Pick<AppDeps, 'store'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/api/usage',
    scope: 'runs:read',
    id: 'readUsage',
    tag: 'usage',
    summary: 'Runs, tokens and time, by day',
    description:
      'Of oneself, or with `admin` of the org. Without `from`: thirty days; without `to`: up to now.',
    query: UsageQuery,
    answers: { 200: { description: 'The usage.', schema: UsageSchema } },
    handle: async ({ caller, query }) => {
      const to = query.to ?? new Date(dayOf(new Date()) + DAY_MS);
      const from =
        query.from ?? new Date(dayOf(new Date(to.getTime() - 1)) - (DAYS_DEFAULT - 1) * DAY_MS);
      const data = await store.asOrg(caller.orgId, (tx) =>
        readUsage(tx, caller, { ...query, from, to }),
      );
      return {
        status: 200,
        body: {
          from: from.toISOString(),
          to: to.toISOString(),
          data: [...data],
          totals: totalsOf(data),
        } satisfies Usage,
      };
    },
  }),
];

const dayOf = (at: Date): number => Math.floor(at.getTime() / DAY_MS) * DAY_MS;

const totalsOf = (days: readonly UsageDay[]): Usage['totals'] => {
  const sum = (of: (day: UsageDay) => number): number =>
    days.reduce((total, day) => total + of(day), 0);
  return {
    runs: sum((day) => day.runs),
    promptTokens: sum((day) => day.promptTokens),
    completionTokens: sum((day) => day.completionTokens),
    totalTokens: sum((day) => day.totalTokens),
    activeMs: sum((day) => day.activeMs),
  };
};
