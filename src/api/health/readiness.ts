// Is everything there that a run needs? Asked by /health/ready, remembered for half a second.

import { withDeadline } from '../../deadline.ts';
import type { Store } from '../../store/database/access.ts';
import type { Temporal } from '../../temporal/connect.ts';

/** The route must answer 503 within 3 s of a loss. */
const ANSWER_WITHIN_MS = 1500;
const REMEMBERED_MS = 500;

export interface Readiness {
  readonly store: Store;
  /** undefined: not connected yet. */
  readonly temporal: () => Pick<Temporal, 'ping'> | undefined;
  /** In the one-process mode: does the worker poll? */
  readonly working?: () => boolean;
  readonly draining: AbortSignal;
}

export function createNotReady({
  store,
  temporal,
  working,
  draining,
}: Readiness): () => Promise<readonly string[]> {
  const inTime = async (
    what: string,
    check: () => Promise<unknown>,
  ): Promise<readonly string[]> => {
    const silent = [`${what} does not answer.`];
    const checking = check().then(
      () => [],
      () => silent,
    );
    return withDeadline(checking, ANSWER_WITHIN_MS, () => silent);
  };
  let asked = 0;
  let last: Promise<readonly string[]> = Promise.resolve([]);
  async function look(): Promise<readonly string[]> {
    if (draining.aborted) return ['The server is stopping.'];
    const problems = await Promise.all([
      inTime('The database', () => store.ping()),
      inTime('Temporal', async () => {
        const connected = temporal();
        if (connected === undefined) throw new Error('not connected');
        await connected.ping(ANSWER_WITHIN_MS);
      }),
    ]);
    if (working?.() === false) problems.push(['The worker does not poll.']);
    return problems.flat();
  }
  return () => {
    if (Date.now() - asked > REMEMBERED_MS) {
      asked = Date.now();
      last = look();
    }
    return last;
  };
}
