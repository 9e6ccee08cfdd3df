// The database keeps which Temporal namespace it belongs to. That is checked before the first line is
// sent and again while the process runs: a connection may lead to another server tomorrow. Nothing is
// sent to another server, and nothing is concluded from its answers.

import { setTimeout as sleep } from 'node:timers/promises';
import { WORKFLOW_TYPE } from '../contract/names.ts';
import {
  isNew,
  keepCounterpart,
  readCounterpart,
  type Counterpart,
  type KeptCounterpart,
} from '../store/counterpart.ts';
import type { Store } from '../store/database/access.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';
import { codeOf, NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED } from './grpc-status.ts';

export interface VerifiedTemporal extends Temporal {
  readonly kept: KeptCounterpart;
  /** How long Temporal remembers a closed workflow. */
  readonly retentionMs: number;
}

interface Found extends Counterpart {
  /** A namespace that several clusters hold, one after the other. */
  readonly replicated: boolean;
  readonly retentionMs: number;
}

/** A server that has just come up refuses its first calls; a database may be away for a moment. */
const TRIES = 6;
const TRY_AGAIN_AFTER_MS = 500;

/** Throws a sentence with what to do where Temporal is another one. */
export async function verifyTemporal(store: Store, temporal: Temporal): Promise<VerifiedTemporal> {
  const found = await withRetries(() => lookAt(temporal));
  const kept = await withRetries(() => store.asReconciler(readCounterpart));
  if (kept !== undefined) {
    const problem = otherTemporalProblem(kept, found);
    if (problem !== undefined) throw new Error(problem);
    return { ...temporal, kept, retentionMs: found.retentionMs };
  }
  if (await withRetries(() => store.asReconciler(isNew))) {
    const open = await withRetries(() => countOpen(temporal));
    if (open > 0) throw new Error(emptyDatabaseProblem(found.namespace, open));
  }
  const first = await withRetries(() => store.asReconciler((tx) => keepCounterpart(tx, found)));
  // Two processes with different settings started at the same instant: one of them was first.
  const problem = otherTemporalProblem(first, found);
  if (problem !== undefined) throw new Error(problem);
  return { ...temporal, kept: first, retentionMs: found.retentionMs };
}

/** Looked up again after this; at once after a call that failed, since connections are then new. */
const VALID_FOR_MS = 5000;

export interface TemporalIdentity {
  /** Resolves where Temporal is the one that was verified; rejects where it is another, or away. */
  readonly check: () => Promise<void>;
  /** A call has failed: what answers next may be another server. */
  readonly invalidate: () => void;
}

export function createTemporalIdentity(
  temporal: VerifiedTemporal,
  log: { readonly error: (o: object, m: string) => void },
): TemporalIdentity {
  let validUntil = 0;
  let looking: Promise<void> | undefined;
  let logged: string | undefined;
  async function look(): Promise<void> {
    const problem = otherTemporalProblem(temporal.kept, await lookAt(temporal));
    if (problem === undefined) {
      logged = undefined;
      validUntil = performance.now() + VALID_FOR_MS;
      return;
    }
    if (logged !== problem) log.error({}, problem);
    logged = problem;
    throw new Error(problem);
  }
  return {
    check: async () => {
      if (performance.now() < validUntil) return;
      looking ??= look().finally(() => (looking = undefined));
      await looking;
    },
    invalidate: () => (validUntil = 0),
  };
}

/** Why what was found is not what is kept; a sentence with what to do. */
export function otherTemporalProblem(kept: KeptCounterpart, found: Found): string | undefined {
  return isSame(kept, found)
    ? undefined
    : `This database belongs to another Temporal: ${nameOf(kept)}. The settings lead to ${nameOf(found)}. Nothing was sent to it, and nothing is concluded from what it does not know. Correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE or DATABASE_URL. If Temporal was moved or set up anew: stop every API and worker, run npm run temporal-changed, and start them again (docs/operations.md, "When Temporal is another one").`;
}

function isSame(kept: Counterpart, found: Found): boolean {
  const sameCluster =
    kept.clusterId === null || found.clusterId === null || kept.clusterId === found.clusterId;
  if (kept.namespaceId === null || found.namespaceId === null)
    return sameCluster && kept.namespace === found.namespace;
  return kept.namespaceId === found.namespaceId && (sameCluster || found.replicated);
}

const nameOf = ({ namespace, namespaceId, clusterId }: Counterpart): string =>
  `namespace "${namespace}" (id ${namespaceId ?? 'unknown'}) of cluster ${clusterId ?? 'unknown'}`;

const emptyDatabaseProblem = (namespace: string, open: number): string =>
  `This database is new and empty, but the Temporal namespace "${namespace}" has ${open} open ${open === 1 ? 'run' : 'runs'}. A worker would end them all, as runs without a record. Is DATABASE_URL the right one? If their record is really gone and they are to end: run npm run temporal-changed, and start again.`;

async function lookAt({ client, connection, settings }: Temporal): Promise<Found> {
  const { namespace } = settings;
  const ask = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);
  /** What a key may not ask for. */
  const unlessForbidden = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask(call);
    } catch (error) {
      if (codeOf(error) === PERMISSION_DENIED || codeOf(error) === UNIMPLEMENTED) return undefined;
      throw error;
    }
  };
  const [cluster, described] = await Promise.all([
    unlessForbidden(() => client.workflowService.getClusterInfo({})),
    unlessForbidden(() => client.workflowService.describeNamespace({ namespace })),
  ]);
  const keptS = described?.config?.workflowExecutionRetentionTtl?.seconds;
  return {
    namespace,
    clusterId: cluster?.clusterId || null,
    namespaceId: described?.namespaceInfo?.id || null,
    replicated: described?.isGlobalNamespace ?? false,
    retentionMs: Number(keptS ?? DAY_S) * 1000,
  };
}

/** The least that a server grants. */
const DAY_S = 86_400;

async function countOpen({ client, connection, settings }: Temporal): Promise<number> {
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND TaskQueue = '${settings.taskQueue}'`;
  const { count } = await connection.withDeadline(Date.now() + RPC_DEADLINE_MS, () =>
    client.workflow.count(query),
  );
  return count;
}

async function withRetries<T>(call: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left--)
    try {
      return await call();
    } catch (error) {
      if (left > 1) {
        await sleep(TRY_AGAIN_AFTER_MS);
        continue;
      }
      if (codeOf(error) !== NOT_FOUND) throw error;
      throw new Error('The namespace of TEMPORAL_NAMESPACE does not exist in this Temporal.', {
        cause: error,
      });
    }
}
