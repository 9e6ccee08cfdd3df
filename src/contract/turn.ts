// What one turn of a run comes back as, to the loop: decisions as data, no text of the model's or a
// tool's. Imports nothing but names: the workflow sandbox loads it.

import type { RunStatus, RunFailure, TerminalStatus } from './names.ts';

export type Approval = 'required' | 'never';
export type Risk = 'normal' | 'high';
/**
 * May a call be dispatched again when it is not known whether it happened? `never` asks a person
 * instead.
 */
export type RetryClass = 'readOnly' | 'idempotent' | 'never';

/** A call the model asks for, as the workflow sees it. */
export interface AnnotatedCall {
  readonly callId: string;
  readonly tool: string;
  /** Name and first scalar argument, at most 80 characters: for the activity's summary. */
  readonly label: string;
  readonly approval: Approval;
  readonly risk: Risk;
  readonly retry: RetryClass;
  /** A tool in code that is over in a second and may be repeated. */
  readonly quick: boolean;
  /** Begun within the workflow's own task. Absent: by a regular activity. */
  readonly inPlace?: true;
  /** Same tool and same arguments, same fingerprint: how repeats are seen without the text. */
  readonly fingerprint: string;
  /**
   * Set where the call is answered already, with a tool error (bad JSON, unknown tool, schema): it
   * is never dispatched.
   */
  readonly refused?: { readonly resultDigest: string };
}

/** What a run waits for that is no person. */
export interface WaitingFor {
  readonly what: 'MODEL';
  /** RFC 3339. */
  readonly since: string;
  /** A sentence without addresses. */
  readonly lastProblem: string;
}

export type TurnReply =
  /** Every model that may be asked is away; asked again after `afterMs`, the call waits. */
  | { readonly kind: 'AWAY'; readonly waitingFor: WaitingFor; readonly afterMs: number }
  | { readonly kind: 'ANSWER'; readonly model: string }
  | { readonly kind: 'CALLS'; readonly model: string; readonly calls: readonly AnnotatedCall[] }
  /** The run has ended in its row, and not by this workflow. */
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure };

export type CallOutcome =
  | { readonly kind: 'DONE'; readonly resultDigest: string }
  /** It may have happened and must not be repeated without a person's word. */
  | { readonly kind: 'UNKNOWN' }
  /** It is no longer what was approved: it is PROPOSED again and has to be asked about again. */
  | { readonly kind: 'ASK_AGAIN' }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure };

/** `NOT_YET`: a regular activity goes on with it, after so long. */
export type CallInPlace = CallOutcome | { readonly kind: 'NOT_YET'; readonly afterMs: number };

/** The state of a pause in the store. */
export type PauseState =
  /** The record has no such pause: a failover has forgotten it, and it is to be opened again. */
  | { readonly kind: 'NOT_OPENED' }
  | { readonly kind: 'OPEN'; readonly expiresInMs: number | null; readonly note?: string }
  | {
      readonly kind: 'DECIDED';
      readonly approved: readonly string[];
      /** Taken back by the run's user: not approved, and no rejection. */
      readonly withdrawn?: readonly string[];
      /** Who decided what and why, as Markdown. Missing in histories of earlier releases. */
      readonly said?: string;
      readonly note?: string;
    }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure };

/** A pause by its id, or by its place where the id is not at hand. */
export type PauseName =
  { readonly pauseId: string } | { readonly turn: number; readonly n: number };

export type PauseKind = 'APPROVAL' | 'OUTCOME_UNKNOWN';

/** How the loop wants a run settled. */
export type Settlement =
  | {
      readonly kind: 'PAUSED';
      readonly turn: number;
      readonly n: number;
      readonly pauseKind: PauseKind;
      readonly callIds: readonly string[];
    }
  | { readonly kind: 'COMPLETED'; readonly turn: number }
  | { readonly kind: 'FAILED'; readonly failure: RunFailure }
  | { readonly kind: 'CANCELLED' };

/** The state after settling, whichever process wrote it first. */
export interface Settled {
  readonly status: RunStatus;
  readonly failure?: RunFailure;
  readonly pause?: PauseView;
  /** None of the calls waits for a person: the ledger answers for each of them. */
  readonly nothingWaits?: true;
  /** Of a run that is COMPLETED. Missing in histories of earlier releases. */
  readonly shown?: EndShown;
}

/** What Temporal shows of a run that is COMPLETED, beside its id and status. */
export interface EndShown {
  readonly tokens: number;
  /**
   * The beginning of the answer's first line. Missing where the agent has knowledge or memory:
   * nothing of passages and memories is to stand in Temporal.
   */
  readonly answer?: string;
}

/** A run's end as Temporal shows it: the whole is in the record. */
export interface RunEndShown extends Partial<EndShown> {
  readonly runId: string;
  readonly status: RunStatus;
}

/** What a paused workflow shows an operator. `waiting` is Markdown. */
export interface PauseView {
  readonly pauseId: string;
  readonly waitingSince: string;
  readonly expiresInMs: number | null;
  readonly waiting: string;
}

/** Limits of one run; defaults in the agent file's schema. */
export interface RunLimits {
  readonly maxTurns: number;
  readonly maxToolCalls: number;
  readonly maxRepeats: number;
  readonly maxTotalTokens: number;
  readonly historyTokens: number;
  /** Active time only: waiting for people or for a worker does not count. */
  readonly timeoutMs: number;
  /** Of one tool. Absent in runs of the first release: no limit. */
  readonly maxRejections?: number | undefined;
}

export interface RunApprovals {
  readonly expiresAfterMs: number | null;
  readonly quorum: number;
  readonly fourEyes: boolean;
}

/** Where an execution goes on that takes up a run whose last one failed. */
export interface TakenUp {
  /** Counted from 1: the execution that the run was started with. */
  readonly execution: number;
  /** The last turn whose reply was recorded; 1 where there is none. */
  readonly fromTurn: number;
  /** Pauses that this turn had already. */
  readonly pauses: number;
  /** Calls of the turns before it. */
  readonly toolCalls: number;
  /** By tool, so far. */
  readonly rejections: Readonly<Record<string, number>>;
}

/** The workflow's input: ids and limits, no text. */
export interface AgentRunInput {
  readonly runId: string;
  readonly orgId: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly model: string;
  /** One extra model call after the answer; absent in runs that were not asked for it. */
  readonly followUps?: boolean;
  /** W3C traceparent of the request that started it; absent where nothing is traced. */
  readonly trace?: string;
  /** Absent in a run's first execution. */
  readonly takenUp?: TakenUp;
  readonly limits: RunLimits;
  readonly approvals: RunApprovals;
}
