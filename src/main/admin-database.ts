// The admin commands that only the database can answer, with the settings that a worker has. They
// read, and change nothing, but for `send`.

import { readAuditLines } from '../store/queries/audit-lines.ts';
import { readUsageByOrg } from '../store/queries/usage.ts';
import { checkRecords } from '../temporal/check-records.ts';
import { sendOutbox } from '../temporal/send-outbox.ts';
import { createWorkflowObserver } from '../temporal/workflow-observer.ts';
import { openProcess, settings } from './process.ts';

const print = (line: string): void => console.log(line);

interface AuditFlags {
  readonly org?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export const check = (stopping: AbortSignal): Promise<void> =>
  openProcess('check', settings('worker'), stopping, async (opened) => {
    const store = await opened.openStore();
    const temporal = await opened.openTemporal(store);
    const { runs, workflows, found } = await checkRecords(store, createWorkflowObserver(temporal));
    for (const { runId, what, cure } of found) print(`${runId}: ${what}\n  ${cure}`);
    print(
      `${runs} open runs and ${workflows} open workflows were compared, ${found.length} differ.`,
    );
    if (found.length > 0) throw new Error('The records differ.');
  });

/** Longer than a process that has died holds its lines. */
const SEND_WITHIN_MS = 15_000;

/** As any API or worker sends them, with each line's outcome in the log. */
export const sendAgain = (stopping: AbortSignal): Promise<void> =>
  openProcess('send', settings('worker'), stopping, async (opened) => {
    opened.installRuntime();
    const store = await opened.openStore();
    const temporal = await opened.openTemporal(store);
    const left = await sendOutbox(store, temporal, {
      ...{ log: opened.log, withinMs: SEND_WITHIN_MS, stopping },
    });
    if (left === 0) return print('Temporal has taken all that there was to send.');
    throw new Error(
      `${left} lines are left. What Temporal says of each is in the lines above; npx holdpoint check --database names the runs that differ.`,
    );
  });

export async function showUsage({ from, to }: AuditFlags, stopping: AbortSignal): Promise<void> {
  const now = Date.now();
  const between = { from: timeOf(from, now - 30 * 86_400_000), to: timeOf(to, now) };
  await openProcess('usage', settings('worker'), stopping, async (opened) => {
    const store = await opened.openStore();
    const orgs = await store.asReconciler((tx) => readUsageByOrg(tx, between));
    for (const org of orgs)
      print(
        `${org.orgId}  ${org.runs} runs  ${org.promptTokens} + ${org.completionTokens} tokens  ${Math.round(org.activeMs / 1000)} s active`,
      );
    print(`${orgs.length} orgs, ${between.from.toISOString()} to ${between.to.toISOString()}.`);
  });
}

/** A page of lines: enough to be quick, and no transaction is long. */
const LINES_AT_ONCE = 500;

export async function exportAudit(
  { org, from, to }: AuditFlags,
  stopping: AbortSignal,
): Promise<void> {
  if (org === undefined) throw new Error('--org is needed: the audit is of one org.');
  const wanted = { orgId: org, from: timeOf(from, 0), to: timeOf(to, Date.now()) };
  await openProcess('audit', settings('worker'), stopping, async (opened) => {
    const store = await opened.openStore();
    let after = 0;
    for (;;) {
      const lines = await store.asOrg(org, (tx) =>
        readAuditLines(tx, { ...wanted, after, most: LINES_AT_ONCE }),
      );
      for (const line of lines) print(JSON.stringify(line));
      const last = lines.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  });
}

function timeOf(text: string | undefined, otherwise: number): Date {
  const at = new Date(text ?? otherwise);
  if (Number.isNaN(at.getTime()))
    throw new Error(`"${text}" is no time: write 2026-01-31T12:00:00Z.`);
  return at;
}
