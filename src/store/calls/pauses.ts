// Opening a pause, once per (run, turn, n), and what an operator in Temporal's Web UI is shown of
// it.

import { sql } from 'kysely';
import type { PauseKind, PauseView } from '../../contract/turn.ts';
import { pauseIdOf } from './call-hash.ts';
import { codeSpan, plainWords, visible } from '../../json/visible.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { LockedRun } from '../runs/runs.ts';

export interface PauseToOpen {
  readonly turn: number;
  readonly n: number;
  readonly pauseKind: PauseKind;
  readonly callIds: readonly string[];
}

/**
 * `opened` is false for a repeated attempt, which changes nothing: a decision may have been made
 * since.
 */
export async function openPause(
  tx: StoreTransaction,
  run: LockedRun,
  p: PauseToOpen,
): Promise<{ pauseId: string; opened: boolean }> {
  const pauseId = pauseIdOf(run.runId, p.turn, p.n);
  const made = await sql`
    insert into pauses (pause_id, run_id, org_id, turn, n, kind, opened_at)
    values (${pauseId}, ${run.runId}, ${run.orgId}, ${p.turn}, ${p.n}, ${p.pauseKind}, clock_timestamp())
    on conflict do nothing returning pause_id`.execute(tx.db);
  if (made.rows.length === 0) return { pauseId, opened: false };
  const waitsIn = p.pauseKind === 'APPROVAL' ? 'PROPOSED' : 'UNKNOWN';
  await sql`
    update calls c set pause_id = ${pauseId}, requested_at = now.t,
      expires_at = now.t + make_interval(secs => (s.body->'approvals'->>'expiresAfterMs')::float8 / 1000)
    from (select date_trunc('milliseconds', clock_timestamp()) as t) now, runs r join agent_snapshots s using (revision)
    where c.run_id = ${run.runId} and c.call_id = any(${p.callIds}) and c.state = ${waitsIn} and r.run_id = c.run_id`.execute(
    tx.db,
  );
  return { pauseId, opened: true };
}

const ARGUMENTS_SHOWN = 2000;
const EVIDENCE_SHOWN = 500;
const APPROVERS_SHOWN = 5;
/** Temporal keeps 20,000 bytes of a run's details; the rest of the text is below 2,000. */
const CALLS_MAX_BYTES = 16_000;

interface Waiting {
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
  readonly arguments_hash: string;
  readonly risk: string;
  readonly approvers: readonly string[] | null;
  readonly evidence: string | null;
  readonly opened_at: Date;
  readonly kind: PauseKind;
  readonly expires_in_ms: number | null;
}

export async function viewPause(tx: StoreTransaction, pauseId: string): Promise<PauseView> {
  const { rows } = await sql<Waiting>`
    select c.call_id, c.name, c.arguments, c.arguments_hash, c.risk, c.approvers, c.evidence, p.opened_at, p.kind,
      (extract(epoch from c.expires_at - clock_timestamp()) * 1000)::float8 as expires_in_ms
    from pauses p join calls c on c.run_id = p.run_id and c.pause_id = p.pause_id where p.pause_id = ${pauseId} order by c.idx`.execute(
    tx.db,
  );
  const expiries = rows.flatMap((row) =>
    row.expires_in_ms === null ? [] : [Math.max(0, Math.ceil(row.expires_in_ms))],
  );
  return {
    pauseId,
    waitingSince: (rows[0]?.opened_at ?? new Date()).toISOString(),
    expiresInMs: expiries.length === 0 ? null : Math.min(...expiries),
    waiting: describe(pauseId, rows),
  };
}

function describe(pauseId: string, rows: readonly Waiting[]): string {
  const first = rows[0];
  const callId = first?.call_id ?? '';
  const unknown = first?.kind === 'OUTCOME_UNKNOWN';
  const head = unknown
    ? 'This run waits for a person: a call may or may not have happened, and it must not be repeated without being asked.'
    : 'This run waits for a person. Nothing below has been run yet:';
  const lines = firstOf(rows.map(lineOf));
  const where = 'To decide from here: **More Actions → Send a Signal**';
  const risky = rows.find((row) => row.risk === 'high');
  const several = rows.length > 1;
  const how = unknown
    ? `${where}. To do it again choose \`approve\` with the input \`{"callId": "${callId}", "pauseId": "${pauseId}"}\`. To leave it choose \`reject\` without input.`
    : risky !== undefined
      ? `${where}. Choose \`approve\` with the input \`{"callId": "${risky.call_id}", "argumentsHash": "${risky.arguments_hash}"}\`${several ? ', one call at a time' : ''}; or \`reject\` without input.`
      : `${where}, choose \`approve\` or \`reject\`, and leave the input empty${several ? ': that decides about all of them' : ''}. For a reason${several ? ', or for one of them only,' : ''} the input is \`{"callId": "${callId}", "reason": "…"}\`.`;
  return `${head}\n\n${lines.join('\n')}\n\n${how}`;
}

/** As many as fit, the first one always; how many are left out is said in words. */
function firstOf(lines: readonly string[]): readonly string[] {
  let bytes = 0;
  const fitting = lines.findIndex((line) => (bytes += Buffer.byteLength(line)) > CALLS_MAX_BYTES);
  if (fitting === -1) return lines;
  const shown = lines.slice(0, Math.max(1, fitting));
  const more = lines.length - shown.length;
  return more === 0 ? shown : [...shown, `- and ${more} more: the run's record shows them all`];
}

function lineOf(row: Waiting): string {
  const more = [
    `callId \`${row.call_id}\``,
    ...(row.risk === 'high' ? [`**high risk**, argumentsHash \`${row.arguments_hash}\``] : []),
    ...(row.approvers === null ? [] : [`may be approved by ${namesOf(row.approvers)}`]),
    ...(row.evidence === null ? [] : [`known: ${shortSpan(row.evidence, EVIDENCE_SHOWN)}`]),
  ];
  const args = shortSpan(row.arguments, ARGUMENTS_SHOWN);
  // the Web UI draws no list inside a list
  return `- **${plainWords(row.name)}** with ${args} · ${more.join(' · ')}`;
}

const namesOf = (approvers: readonly string[]): string => {
  const named = approvers.slice(0, APPROVERS_SHOWN).map(plainWords).join(', ');
  const more = approvers.length - APPROVERS_SHOWN;
  return more > 0 ? `${named} and ${more} more` : named;
};

/** Cut before and after it is made visible: one character may become nine. */
const shortSpan = (text: string, maxChars: number): string => {
  const shown = visible(text.slice(0, maxChars));
  return shown.length < maxChars && text.length <= maxChars
    ? codeSpan(shown)
    : codeSpan(`${shown.slice(0, maxChars)}…`);
};
