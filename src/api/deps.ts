// What the API works with. The process that serves it makes these; routes take those they need.

import type { ConsoleDeps } from './console/console-layer.ts';
import type { AgentSnapshot } from '../contract/agent.ts';
import type { CheckEdit } from '../store/calls/edits.ts';
import type { Store } from '../store/database/access.ts';
import type { RunLimits } from '../store/runs/run-limits.ts';
import type { LeasedLine } from '../store/outbox.ts';
import type { Embedder } from '../models/embedder.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Authenticate } from './auth/caller.ts';
import type { Log } from './http/api-context.ts';
import type { RequestLimits } from './limits/request-limits.ts';

export interface AppDeps {
  readonly store: Store;
  readonly agents: ReadonlyMap<string, AgentSnapshot>;
  /** Whether an agent takes no runs yet: a server of its tools is away. */
  readonly isWaiting?: (agentId: string) => boolean;
  readonly authenticate: Authenticate;
  /**
   * Sends a run's outbox lines now, or the one that its start has leased; resolves when Temporal has
   * taken them, or false after at most 3 s.
   */
  readonly send: (runId: string, line?: LeasedLine) => Promise<boolean>;
  /** Documents were given or deleted: what that needs is done now. */
  readonly nudgeDocuments?: () => void;
  /** Makes vectors of questions; absent: documents are searched by their words. */
  readonly embedder?: Embedder | undefined;
  /** For /health/ready: problems as sentences without hosts, empty when ready. */
  readonly notReady: () => Promise<readonly string[]>;
  readonly syncWaitMaxMs: number;
  /** Aborts when the server drains: waiting callers are answered 202, or as the run is. */
  readonly draining: AbortSignal;
  readonly checkEdit: CheckEdit;
  /** Addresses that media may name though they are no public ones. */
  readonly egressAllow?: readonly string[];
  /** Whose pages may call from a browser. */
  readonly corsOrigins?: readonly string[];
  /** The page at /; absent where the API serves none. */
  readonly console?: ConsoleDeps;
  /** Where people reach the page, without a slash at its end. */
  readonly pageUrl?: () => string;
  /** Absent: requests are not counted. */
  readonly requestLimits?: RequestLimits;
  /** Absent: any number of runs is started. */
  readonly runLimits?: RunLimits;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  readonly log: Log;
}
