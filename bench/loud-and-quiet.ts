// Two orgs on one deployment: a loud one that starts three times as many runs as the machine
// carries, and a quiet one that asks one thing at a time. What is measured is what the quiet one
// waits. Used by load.ts and by a test.

import { setTimeout as sleep } from 'node:timers/promises';
import { SECRET } from '../test/e2e/stage.ts';
import { makeToken } from '../src/dev/make-token.ts';
import { percentile } from './measure.ts';

export interface Load {
  readonly url: string;
  /** Of the message that each run is asked. */
  readonly message: string;
  readonly warmUpMs: number;
  readonly loudMs: number;
}

export interface Measured {
  /** Runs a second that the machine carries, eight at a time. */
  readonly carried: number;
  /** What the loud org's starts were answered with, by status. */
  readonly loud: ReadonlyMap<number, number>;
  /** Of the quiet org's runs, alone and beside the loud one, in ms. */
  readonly alone: readonly number[];
  readonly runs: readonly number[];
  /** Of its reads, beside the loud one. */
  readonly reads: readonly number[];
  /** Most runs that the loud org had open. */
  readonly mostOpen: number;
  /** From the loud one's last start until a quiet run took less than twice its usual time, or 1 s. */
  readonly recoveredMs: number;
}

/** Starts that wait for an answer at a time: beyond, the loud one's own machine would be measured. */
const OUTSTANDING = 200;
const TICK_MS = 50;

export async function playLoudAndQuiet({
  url,
  message,
  warmUpMs,
  loudMs,
}: Load): Promise<Measured> {
  const [loud, quiet] = [await callerFor(url, 'loud'), await callerFor(url, 'quiet')];
  const { carried, alone } = await carriedBy(quiet, message, warmUpMs);

  const statuses = new Map<number, number>();
  let outstanding = 0;
  let mostOpen = 0;
  const startOne = async (): Promise<void> => {
    outstanding++;
    const { status } = await loud('POST', '/api/agents/helper/runs/background', { message });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    outstanding--;
  };
  const endsAt = performance.now() + loudMs;
  const isLoud = (): boolean => performance.now() < endsAt;
  const loudStarts = (async () => {
    for (let due = 0; isLoud(); await sleep(TICK_MS))
      for (due += (3 * carried * TICK_MS) / 1000; due >= 1 && outstanding < OUTSTANDING; due--)
        void startOne();
  })();
  const looks = (async () => {
    for (; isLoud(); await sleep(1000)) mostOpen = Math.max(mostOpen, await openRunsOf(loud));
  })();
  const runs: number[] = [];
  const reads: number[] = [];
  while (isLoud()) {
    reads.push(await took(() => quiet('GET', '/api/runs?limit=1')));
    runs.push(await took(() => runOf(quiet, message)));
  }
  await Promise.all([loudStarts, looks]);
  const began = performance.now();
  const usual = Math.max(1000, 2 * percentile(alone, 0.5));
  while ((await took(() => runOf(quiet, message))) > usual);
  const recoveredMs = performance.now() - began;
  return { carried, loud: statuses, alone, runs, reads, mostOpen, recoveredMs };
}

interface Answered {
  readonly status: number;
  readonly body: unknown;
}
type Call = (method: string, path: string, body?: object) => Promise<Answered>;

async function callerFor(url: string, org: string): Promise<Call> {
  const token = await makeToken({
    ...{ secret: SECRET, user: 'ada', org, roles: [], scope: 'runs:read runs:write', lifeS: 3600 },
    config: { orgClaim: 'org_id', rolesClaim: 'roles', maxTokenAgeS: 86_400 },
  });
  return async (method, path, body) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
}

async function runOf(call: Call, message: string): Promise<void> {
  const { status, body } = await call('POST', '/api/agents/helper/runs', { message });
  if (status !== 200 || (body as { status: string }).status !== 'COMPLETED')
    throw new Error(`a quiet run was answered ${status}: ${JSON.stringify(body)}`);
}

async function openRunsOf(call: Call): Promise<number> {
  const { body } = await call('GET', '/api/runs/counts');
  const { QUEUED, RUNNING } = body as Readonly<Record<'QUEUED' | 'RUNNING', number>>;
  return QUEUED + RUNNING;
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function carriedBy(
  call: Call,
  message: string,
  forMs: number,
): Promise<Pick<Measured, 'carried' | 'alone'>> {
  const alone: number[] = [];
  for (let i = 0; i < 10; i++) alone.push(await took(() => runOf(call, message)));
  let done = 0;
  const endsAt = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (; performance.now() < endsAt; done++) await runOf(call, message);
    }),
  );
  return { carried: (done * 1000) / forMs, alone };
}
