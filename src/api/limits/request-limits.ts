// The layer behind authentication: how many requests a user and an org make in a minute, and how
// many a user has open at once. What has no token is not counted: neither a refusal for that, nor
// health, documents and the page.

import { AppError } from '../../contract/errors.ts';
import type { Caller } from '../auth/caller.ts';
import type { ApiMiddleware } from '../http/api-context.ts';
import type { RequestCounts } from './request-counts.ts';
import type { Standing } from './request-quota.ts';

export interface RequestLimits {
  readonly perUser: number;
  readonly perOrg: number;
  /** Of a user, at one process: streams and waiting callers. */
  readonly openPerUser: number;
  readonly counts: RequestCounts;
}

const POLICIES = ['user', 'org'] as const;

export function requestLimits({ perUser, perOrg, counts }: RequestLimits): ApiMiddleware {
  const limits = [perUser, perOrg];
  const policy = POLICIES.map((name, i) => `"${name}";q=${limits[i]};w=60`).join(', ');
  return async (ctx, next) => {
    const { caller } = ctx.state;
    if (caller !== undefined) {
      const { orgId, subject } = caller;
      const { taken, standings } = await counts.take([
        { orgId, subject, limit: perUser },
        { orgId, limit: perOrg },
      ]);
      // draft-ietf-httpapi-ratelimit-headers, from its 10th on.
      ctx.set({ 'RateLimit-Policy': policy, RateLimit: shown(standings) });
      if (!taken) throw refusal(limits, standings);
    }
    await next();
  };
}

const shown = (standings: readonly Standing[]): string =>
  standings.map(({ left, moreInS }, i) => `"${POLICIES[i]}";r=${left};t=${moreInS}`).join(', ');

function refusal(limits: readonly number[], standings: readonly Standing[]): AppError {
  const i = standings.findIndex(({ left }) => left === 0);
  const waitS = Math.max(...standings.map(({ left, moreInS }) => (left === 0 ? moreInS : 0)));
  const whose = POLICIES[i] === 'user' ? 'You have' : 'Your organisation has';
  return new AppError(
    'TOO_MANY_REQUESTS',
    `${whose} made ${limits[i]} requests within a minute, and more are not taken. Try again in ${waitS} s, and ask less often: wait for a run with Prefer: wait or its stream instead of asking again.`,
    { headers: { 'Retry-After': String(waitS) } },
  );
}

/** A process has connections and memory for so many waiting callers: no user has them all. */
export function openRequests({ openPerUser }: RequestLimits): ApiMiddleware {
  const open = new Map<string, number>();
  const keyOf = ({ orgId, subject }: Caller): string => `${orgId}\n${subject}`;
  return async (ctx, next) => {
    const { caller } = ctx.state;
    if (caller !== undefined) {
      const key = keyOf(caller);
      const now = open.get(key) ?? 0;
      if (now >= openPerUser) throw tooManyOpen(openPerUser);
      open.set(key, now + 1);
      ctx.res.once('close', () => {
        const left = (open.get(key) ?? 1) - 1;
        if (left === 0) open.delete(key);
        else open.set(key, left);
      });
    }
    await next();
  };
}

const tooManyOpen = (most: number): AppError =>
  new AppError(
    'TOO_MANY_OPEN_REQUESTS',
    `You have ${most} requests open here, streams and waiting ones among them, and more are not taken. Close some, or follow several runs by GET /api/approvals/stream or webhooks.`,
    { headers: { 'Retry-After': '5' } },
  );
