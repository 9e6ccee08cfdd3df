// Wire names: what other processes, operators and recorded histories know us by. Never renamed.
// Imports nothing: the workflow sandbox loads this file.

export const WORKFLOW_TYPE = 'agentRun';
/** Takes a document in; workflow id = document id. */
export const INGEST_WORKFLOW_TYPE = 'ingestDocument';

/**
 * `approve` and `reject` are an operator's words; `decided` is our own wake-up after any decision.
 * The first release woke a workflow by an `approve` with `{decided: pauseId}`.
 */
export const SIGNAL = { approve: 'approve', reject: 'reject', decided: 'decided' } as const;
export type DecisionSignal = (typeof SIGNAL)['approve' | 'reject'];

/** Search attributes, all that there are: four Keywords and a Datetime. */
export const SEARCH_ATTRIBUTE = {
  status: 'HoldpointStatus',
  agent: 'HoldpointAgent',
  org: 'HoldpointOrg',
  session: 'HoldpointSession',
  waitingSince: 'HoldpointWaitingSince',
} as const;

export const RUN_STATUS = [
  'QUEUED',
  'RUNNING',
  'PAUSED',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
] as const;
export type RunStatus = (typeof RUN_STATUS)[number];
export type TerminalStatus = 'COMPLETED' | 'FAILED' | 'CANCELLED';

export const isTerminal = (status: RunStatus): status is TerminalStatus =>
  status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';

/** The voter that an operator's signal counts as. A token with this subject is refused. */
export const OPERATOR = 'operator';
/** Who decided where no person did before `expiresAt`. */
export const EXPIRY = 'expiry';

/** Names that records use for us, never for the holder of a token; in any case. */
export const MACHINERY: readonly string[] = ['holdpoint', OPERATOR, EXPIRY, 'after-restore'];

/** Why a run ended as FAILED; also the type of the failure its workflow closes with. */
export const FAILURE_CODE = [
  'MODEL_UNAVAILABLE',
  'MODEL_RATE_LIMITED',
  'MODEL_REJECTED',
  'MODEL_INCOMPLETE',
  'CONTEXT_TOO_LONG',
  'BUDGET_EXCEEDED',
  'OUTPUT_TOO_LARGE',
  'MEDIA_UNAVAILABLE',
  'TERMINATED',
  'RECORD_LOST',
  'INTERNAL',
] as const;
export type FailureCode = (typeof FAILURE_CODE)[number];
export interface RunFailure {
  readonly code: FailureCode;
  /** A sentence a caller can act on: no stack, path, host or secret. */
  readonly message: string;
}

/** The message of the one log line that a failed run has. */
export const RUN_FAILED = 'a run failed';

export const HEADER = {
  run: 'X-Holdpoint-Run',
  org: 'X-Holdpoint-Org',
  user: 'X-Holdpoint-User',
  idempotencyKey: 'Idempotency-Key',
} as const;

export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}

export const RUN_ID = /^run_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * In `_meta` of a call that a run of ours makes over MCP: `<runId>:<callId>`, the same on every
 * attempt.
 */
export const IDEMPOTENCY_META = 'holdpoint/idempotencyKey';
