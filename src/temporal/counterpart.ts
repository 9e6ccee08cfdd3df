// Database and namespace know each other. Checked before the first line is sent and again while the
// process runs: a connection may lead to another server tomorrow. What a stranger says of our runs
// is not believed, and nothing is ever sent to it.

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

export interface MetTemporal extends Temporal {
  readonly kept: KeptCounterpart;
  /** How long Temporal remembers a closed workflow. */
  readonly retentionMs: number;
}

interface Met extends Counterpart {
  /** A namespace that several clusters hold, one after the other. */
  readonly replicated: boolean;
  readonly retentionMs: number;
}

// grpc status codes
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code;

/** A server that has just come up refuses its first calls; a database may be away for a moment. */
const TRIES = 6;
const TRY_AGAIN_AFTER_MS = 500;

/** Opens the acquaintance, or throws a sentence that says what to do. */
export async function meetTemporal(store: Store, temporal: Temporal): Promise<MetTemporal> {
  const met = await patiently(() => lookAt(temporal));
  const kept = await patiently(() => store.asReconciler(readCounterpart));
  if (kept !== undefined) {
    const problem = strangerProblem(kept, met);
    if (problem !== undefined) throw new Error(problem);
    return { ...temporal, kept, retentionMs: met.retentionMs };
  }
  if (await patiently(() => store.asReconciler(isNew))) {
    const open = await patiently(() => countOpen(temporal));
    if (open > 0) throw new Error(emptyDatabaseProblem(met.namespace, open));
  }
  const first = await patiently(() => store.asReconciler((tx) => keepCounterpart(tx, met)));
  // Two processes with different settings started at the same instant: one of them was first.
  const problem = strangerProblem(first, met);
  if (problem !== undefined) throw new Error(problem);
  return { ...temporal, kept: first, retentionMs: met.retentionMs };
}

/** Looked up again after this; at once after a call that failed, since connections are then new. */
const BELIEVED_FOR_MS = 5000;

export interface Acquaintance {
  /** Resolves where Temporal is the one that was met; rejects where it is another, or away. */
  readonly check: () => Promise<void>;
  /** A call has failed: what answers next may be another server. */
  readonly doubt: () => void;
}

export function createAcquaintance(
  temporal: MetTemporal,
  log: { readonly error: (o: object, m: string) => void },
): Acquaintance {
  let believedUntil = 0;
  let looking: Promise<void> | undefined;
  let said: string | undefined;
  async function look(): Promise<void> {
    const problem = strangerProblem(temporal.kept, await lookAt(temporal));
    if (problem === undefined) {
      said = undefined;
      believedUntil = performance.now() + BELIEVED_FOR_MS;
      return;
    }
    if (said !== problem) log.error({}, problem);
    said = problem;
    throw new Error(problem);
  }
  return {
    check: async () => {
      if (performance.now() < believedUntil) return;
      looking ??= look().finally(() => (looking = undefined));
      await looking;
    },
    doubt: () => (believedUntil = 0),
  };
}

/** Why what was met is not what is kept; a sentence that says what to do. */
export function strangerProblem(kept: KeptCounterpart, met: Met): string | undefined {
  return isSame(kept, met)
    ? undefined
    : `This database belongs to another Temporal: ${nameOf(kept)}. The settings lead to ${nameOf(met)}. Nothing was sent to it, and nothing is concluded from what it does not know. Correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE or DATABASE_URL. If Temporal was moved or set up anew: stop every API and worker, run npm run temporal-changed, and start them again (docs/operations.md, "When Temporal is another one").`;
}

function isSame(kept: Counterpart, met: Met): boolean {
  const sameCluster =
    kept.clusterId === null || met.clusterId === null || kept.clusterId === met.clusterId;
  if (kept.namespaceId === null || met.namespaceId === null)
    return sameCluster && kept.namespace === met.namespace;
  return kept.namespaceId === met.namespaceId && (sameCluster || met.replicated);
}

const nameOf = ({ namespace, namespaceId, clusterId }: Counterpart): string =>
  `namespace "${namespace}" (id ${namespaceId ?? 'unknown'}) of cluster ${clusterId ?? 'unknown'}`;

const emptyDatabaseProblem = (namespace: string, open: number): string =>
  `This database is new and empty, but the Temporal namespace "${namespace}" has ${open} open ${open === 1 ? 'run' : 'runs'}. A worker would end them all, as runs without a record. Is DATABASE_URL the right one? If their record is really gone and they are to end: run npm run temporal-changed, and start again.`;

async function lookAt({ client, connection, settings }: Temporal): Promise<Met> {
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

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left--)
    try {
      return await call();
    } catch (error) {
      if (left > 1) {
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_AFTER_MS));
        continue;
      }
      if (codeOf(error) !== NOT_FOUND) throw error;
      throw new Error('The namespace of TEMPORAL_NAMESPACE does not exist in this Temporal.', {
        cause: error,
      });
    }
}
