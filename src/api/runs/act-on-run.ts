// What a caller does to a run that is there, once under an Idempotency-Key, and the wait for what
// comes of it: the same for a vote, a withdrawal and a retry. What may be done is the store's.

import type { AppError } from '../../contract/errors.ts';
import type { FoundRun } from '../../store/queries/visibility.ts';
import type { KeyUse } from '../../store/runs/keys.ts';
import type { AppDeps } from '../deps.ts';
import { readIdempotencyKey } from '../http/idempotency-key.ts';
import { readPreference } from '../http/prefer.ts';
import type { Answer, RouteRequest } from '../http/route.ts';
import { runToActOn } from './find-run.ts';
import { runAnswer } from './run-answer.ts';
import { createDeadline, waitForRun } from './wait.ts';

/** `REFUSED` is returned by what has committed something beside it, an expiry. */
type Acted =
  | { readonly kind: 'REFUSED'; readonly error: AppError }
  | { readonly kind: 'REPLAYED' | 'CAST' | 'WITHDRAWN' | 'TAKEN_UP' };

type KeyOf = (use: Pick<KeyUse, 'route' | 'bodyHash' | 'requestId'>) => KeyUse | undefined;

export async function actOnRun(
  deps: AppDeps,
  request: RouteRequest<unknown, unknown>,
  act: (run: FoundRun & { readonly runId: string }, keyOf: KeyOf) => Promise<Acted>,
): Promise<Answer> {
  const { caller } = request;
  const { orgId, subject } = caller;
  const preference = readPreference(request.header('Prefer'), deps.syncWaitMaxMs);
  const key = readIdempotencyKey(request.headerValues('Idempotency-Key'));
  const deadline = createDeadline(preference.waitMs, [deps.draining, request.gone]);
  try {
    const found = await runToActOn(deps, request);
    const { agentId, runId } = found;
    request.onRun?.(runId);
    const acted = await act(found, (use) =>
      key === undefined
        ? undefined
        : { ...use, orgId, caller: subject, agentId, target: runId, key },
    );
    // Also after a refusal: an expiry found on the way may have sent the run on.
    void deps.send(runId).then((taken) => taken || deadline.end(), deadline.end);
    if (acted.kind === 'REFUSED') throw acted.error;
    const awaited = { orgId, runId, deadline: deadline.signal, stopWhenHeldUp: true };
    const run = await waitForRun(deps.store, awaited);
    return runAnswer(run, { viewer: caller, preference, replayed: acted.kind === 'REPLAYED' });
  } finally {
    deadline.close();
  }
}
