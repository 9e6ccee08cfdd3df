// The admin commands that only the database can answer, with the settings that a worker has. They
// read, and change nothing.

import { readAuditLines } from '../store/queries/audit-lines.ts';
import { checkRecords } from '../temporal/check-records.ts';
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
