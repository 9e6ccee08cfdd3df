// Whose work a worker gets next where some waits: runs before documents, and of each the orgs in
// turn, however much of one there is. Activities have it from their workflow. A server that does not
// know of it serves in the order of arrival.

import type { Priority } from '@temporalio/common';
import { sha256Hex } from '../json/canonical.ts';

/** What Temporal takes for a key. */
const KEY_MAX_BYTES = 64;

/** Temporal's own default: a run of an earlier release, which names none, is not put behind. */
const RUNS = 3;
const DOCUMENTS = 4;

const turnOf = (orgId: string): string =>
  Buffer.byteLength(orgId) <= KEY_MAX_BYTES ? orgId : sha256Hex(orgId);

export const priorityOfRuns = (orgId: string): Priority => ({
  priorityKey: RUNS,
  fairnessKey: turnOf(orgId),
});

export const priorityOfDocuments = (orgId: string): Priority => ({
  priorityKey: DOCUMENTS,
  fairnessKey: turnOf(orgId),
});
