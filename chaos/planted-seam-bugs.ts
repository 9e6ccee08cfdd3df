// Planted bugs of the seam between Temporal's record and ours, which tests of their own notice.

import type { PlantedBug } from './planted-bugs.ts';

export const SEAM_BUGS: readonly PlantedBug[] = [
  {
    name: 'a transaction played again says that the outcome is unknown',
    patches: [
      {
        file: 'src/store/calls/outcomes.ts',
        find: "if (row.state === 'SUCCEEDED' || row.state === 'FAILED') return { kind: 'DONE', result: row.result ?? '' };",
        replace: '',
      },
    ],
    caughtBy: { tests: ['test/store/played-twice.test.ts'] },
  },
  {
    name: 'absence is believed at the first look',
    patches: [
      {
        file: 'src/temporal/absences.ts',
        find: 'if (since === undefined || now - since < LOOK_AGAIN_AFTER_MS) return false;',
        replace: '',
      },
    ],
    caughtBy: { tests: ['test/temporal/reconciler-behind.test.ts'] },
  },
  {
    name: 'a restored workflow is not woken again',
    patches: [
      {
        file: 'src/temporal/compare-run.ts',
        find: 'if (isOpen(look.status)) return wakeIfBehind(deps, runId, started, look.idleSince);',
        replace: 'if (isOpen(look.status)) return;',
      },
    ],
    caughtBy: { tests: ['test/temporal/reconciler-behind.test.ts'] },
  },
  {
    name: 'completed whatever the record lacks',
    patches: [
      {
        file: 'src/store/runs/settle.ts',
        find: "asked.kind === 'COMPLETED' ? await missingBeforeEnd(tx, runId, asked.turn) : undefined",
        replace: 'await (async () => undefined)() as string | undefined',
      },
    ],
    caughtBy: { tests: ['test/store/lost-record.test.ts'] },
  },
  {
    name: 'a newer schema is refused',
    patches: [
      {
        file: 'src/store/database/migrate.ts',
        find: '{ ...later, ...nothingToDo(newer) }',
        replace: 'later',
      },
    ],
    caughtBy: { tests: ['test/store/migrate.test.ts'] },
  },
  {
    name: 'what an operator typed is taken for a result of ours',
    patches: [
      {
        file: 'src/workflows/by-hand.ts',
        find: "if (isOurs(result, 'kind')) return result;",
        replace: 'if (result !== undefined) return result;',
      },
    ],
    caughtBy: { tests: ['test/full/by-hand.test.ts'] },
  },
  {
    name: 'the lines of open runs are deleted with those of ended ones',
    patches: [
      {
        file: 'src/store/retention.ts',
        find: "coalesce(r.closed_at < now() - interval '1 hour', r.run_id is null)",
        replace: 'true',
      },
    ],
    caughtBy: { tests: ['test/store/sent-lines.test.ts'] },
  },
  {
    name: "an end does not take its session's lock",
    patches: [
      {
        file: 'src/store/runs/runs.ts',
        find: 'where r.run_id = ${runId} for no key update of s',
        replace: 'where r.run_id = ${runId}',
      },
    ],
    caughtBy: { tests: ['test/store/locks.test.ts'] },
  },
  {
    name: "a change of a run does not take the run's lock",
    patches: [
      {
        file: 'src/store/runs/runs.ts',
        find: 'from runs where run_id = ${runId} for no key update',
        replace: 'from runs where run_id = ${runId}',
      },
    ],
    caughtBy: { tests: ['test/store/locks.test.ts'] },
  },
];
