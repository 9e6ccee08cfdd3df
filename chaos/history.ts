// What the clients asked for and what they were told: invoke, and then ok, fail (it did not happen)
// or unknown. Also findings on the way: what no answer may ever say. The checks at the end compare
// this with the database and the sink's file.

import { appendFileSync } from 'node:fs';

export type OpKind =
  'plain' | 'approve' | 'reject' | 'two-pauses' | 'operator' | 'cancel' | 'session';

export interface Op {
  readonly id: string;
  readonly kind: OpKind;
  readonly org: string;
  readonly invokedAt: number;
  readonly sessionId: string | undefined;
  /** Every run that an answer named for this key. */
  readonly runIds: Set<string>;
  ackedAt?: number;
  settledAt?: number;
  status?: string;
  /** 409 for a session whose run is paused: it never began. */
  refused?: boolean;
  readonly votes: {
    readonly callId: string;
    readonly pauseId: string;
    readonly action: 'APPROVE' | 'REJECT';
  }[];
  unknownAsked: number;
  /** Asked for, whatever came of it. */
  cancelAsked?: boolean;
  cancelAckedAt?: number;
  /** Its workflow was terminated by an operator. */
  terminated?: boolean;
  /** Of the pause that an operator decides, and when he last clicked. */
  clicked?: { readonly pauseId: string; readonly at: number };
  /** Pauses in which votes for an earlier one were tried. */
  triedPast?: readonly string[];
}

/** An answer that is only right where something at that moment explains it. */
export interface Refusal {
  readonly op: string;
  readonly what: string;
  readonly path: string;
  readonly org: string;
  readonly status: number;
  readonly detail: string;
  readonly from: number;
  readonly to: number;
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

export interface History {
  readonly ops: readonly Op[];
  readonly refusals: readonly Refusal[];
  readonly refused: (refusal: Refusal) => void;
  readonly invoke: (op: Op) => void;
  readonly note: (line: Readonly<Record<string, unknown>>) => void;
  /** A rule, and what broke it. */
  readonly found: (rule: string, what: string) => void;
  readonly findings: ReadonlyMap<string, readonly string[]>;
  readonly counts: ReadonlyMap<string, number>;
}

export function createHistory(file: string): History {
  const ops: Op[] = [];
  const findings = new Map<string, string[]>();
  const counts = new Map<string, number>();
  const refusals: Refusal[] = [];
  return {
    ops,
    refusals,
    refused: (refusal) => void refusals.push(refusal),
    findings,
    counts,
    invoke: (op) => void ops.push(op),
    note: (line) => {
      const result = `${String(line['what'])} ${String(line['result'])}`;
      counts.set(result, (counts.get(result) ?? 0) + 1);
      appendFileSync(file, `${JSON.stringify({ at: Date.now(), ...line })}\n`);
    },
    found: (rule, what) => {
      const list = findings.get(rule) ?? [];
      list.push(what);
      findings.set(rule, list);
    },
  };
}
