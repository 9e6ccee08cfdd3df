// Who may decide a call, beside the person who looks at it.

import type { PendingCall } from '../api/types.ts';

export function whoElse(item: Pick<PendingCall, 'approvers' | 'votesNeeded' | 'votes'>): string {
  const who =
    item.approvers === null || item.approvers === undefined
      ? 'anyone with the right to approve may decide'
      : `${item.approvers.map((name) => name.replace(/^(user|role):/, '')).join(', ')} may decide`;
  return item.votesNeeded > 1
    ? `${who}, ${item.votesNeeded} votes needed, ${item.votes.length} given`
    : who;
}
