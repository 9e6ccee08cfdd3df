// One vote on one call, bound to what was shown: its id, its pause and its hash.

import { ApiProblem, type Api } from '../api/api.ts';
import type { Arguments, PendingCall, Run } from '../api/types.ts';

export interface Vote {
  readonly action: 'APPROVE' | 'REJECT';
  readonly reason?: string;
  /** In place of the proposed ones. */
  readonly arguments?: Arguments;
}

export type VoteOutcome =
  | { readonly kind: 'TAKEN' }
  /** It was decided, has expired or changed meanwhile: what is shown is no longer what waits. */
  | { readonly kind: 'OVERTAKEN'; readonly message: string }
  | { readonly kind: 'REFUSED'; readonly message: string }
  /** Not known whether it was taken; repeating it with the same key is safe. */
  | { readonly kind: 'UNSURE' };

export async function castVote(
  api: Api,
  run: Pick<Run, 'runId' | 'pauseId'>,
  call: PendingCall,
  vote: Vote,
  key: string,
): Promise<VoteOutcome> {
  const { arguments: edited, reason, action } = vote;
  const decision = {
    callId: call.callId,
    action,
    argumentsHash: call.argumentsHash,
    ...(reason === undefined || reason === '' ? {} : { reason }),
    ...(edited === undefined ? {} : { arguments: edited }),
  };
  try {
    await api.post(
      `/api/runs/${run.runId}/continue`,
      { pauseId: run.pauseId, decisions: [decision] },
      { Prefer: 'respond-async', 'Idempotency-Key': key },
    );
    return { kind: 'TAKEN' };
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status >= 500) return { kind: 'UNSURE' };
    const { status, message } = error;
    if (status === 409 || status === 412 || status === 404) return { kind: 'OVERTAKEN', message };
    const fields = error.problem?.errors?.map((one) => `${one.path}: ${one.message}`) ?? [];
    return { kind: 'REFUSED', message: [message, ...fields].join(' ') };
  }
}
