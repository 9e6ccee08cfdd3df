// One request of a client: to either API, sometimes cut in the middle, always with a deadline. What
// came back is noted; an answer that may never be given is a finding whatever happens around it.

import { randomInt } from 'node:crypto';
import { ORGS, type World } from './world.ts';
import type { History } from './history.ts';

export interface Asked {
  readonly what: 'start' | 'vote' | 'vote-past' | 'cancel' | 'read';
  readonly org: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly op: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The share of requests whose connection the client drops before the answer. */
  readonly cutShare?: number;
}

export interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

export type Ask = (asked: Asked) => Promise<Answer | undefined>;

/**
 * Longer than any wait asked for, and than the 10 s that a statement on a blackholed database may
 * take.
 */
const DEADLINE_MS = 15_000;

export const canaryOf = (org: string): string => `canary-of-${org}`;

/**
 * Codes that a client may be told at any time: away, or not (yet, any more) possible. Everything
 * else ≥ 400 must be expected by who asks.
 */
const NEVER = new Set([500, 501, 502, 504]);
/** Right only where the moment explains them: held against the faults and the record at the end. */
const TO_BE_EXPLAINED = new Set([401, 409, 503]);

export function createAsk(world: World, history: History): Ask {
  return async (asked) => {
    const api = world.apis[randomInt(2) as 0 | 1];
    const { what, org, method, path, op } = asked;
    const cut = asked.cutShare !== undefined && Math.random() < asked.cutShare;
    const headers: Record<string, string> = {
      authorization: `Bearer ${world.token(org)}`,
      ...asked.headers,
    };
    if (asked.body !== undefined) headers['content-type'] = 'application/json';
    if (asked.key !== undefined) headers['idempotency-key'] = asked.key;
    const from = Date.now();
    try {
      const response = await fetch(`${api.url}${path}`, {
        method,
        headers,
        ...(asked.body === undefined ? {} : { body: JSON.stringify(asked.body) }),
        signal: AbortSignal.timeout(cut ? randomInt(2, 150) : DEADLINE_MS),
      });
      const text = await response.text();
      for (const other of ORGS)
        if (other !== org && text.includes(canaryOf(other)))
          history.found('no-foreign-bytes', `${method} ${path}: ${text.slice(0, 200)}`);
      if (NEVER.has(response.status))
        history.found(
          'only-declared-answers',
          `${method} ${path}: ${response.status} ${text.slice(0, 300)}`,
        );
      const result = response.ok
        ? 'ok'
        : response.status === 503 || response.status === 401
          ? 'unknown'
          : 'fail';
      history.note({ op, what, api: api.name, status: response.status, result });
      const json = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      if (TO_BE_EXPLAINED.has(response.status))
        history.refused({
          ...{ op, what, path, org, from, to: Date.now(), body: asked.body },
          ...{ status: response.status, detail: `${api.name}: ${text.slice(0, 300)}` },
        });
      return { status: response.status, json };
    } catch (error) {
      history.note({
        op,
        what,
        api: api.name,
        cut,
        result: 'unknown',
        why: error instanceof Error ? error.name : String(error),
      });
      return undefined;
    }
  };
}
