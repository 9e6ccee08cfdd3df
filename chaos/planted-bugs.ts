// Bugs, as they are really made: each a few replaced pieces of source, and what has to notice.
// A piece that is not there any more is a failure: the bug has to be planted anew where the code
// now is.

import type { OpKind } from './history.ts';
import { SEAM_BUGS } from './planted-seam-bugs.ts';
import type { FaultKind } from './schedule.ts';

export interface PlantedBug {
  readonly name: string;
  /** Joins the short form: its rule fails by no other of these bugs, and it hides none of theirs. */
  readonly together?: true;
  readonly patches: readonly {
    readonly file: string;
    readonly find: string;
    readonly replace: string;
  }[];
  /**
   * A short form of the program and the rules of which one must fail, or test files of which one
   * must.
   */
  readonly caughtBy:
    | {
        readonly seconds: number;
        readonly faults: readonly FaultKind[];
        readonly rules: readonly string[];
        /** Only runs of these kinds, where few of the mix would meet the bug. */
        readonly kinds?: readonly OpKind[];
      }
    | { readonly tests: readonly string[] };
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'a quarter of the calls recorded as done and never sent',
    together: true,
    patches: [
      {
        file: 'src/activities/deliver-call.ts',
        find: 'let mayHaveHappened = false;',
        replace: `if (Math.random() < 0.25) return { end: { kind: 'ANSWERED', result: 'done', isError: false } };
  let mayHaveHappened = false;`,
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['every-success-was-sent'] },
  },
  {
    name: 'a quarter of the runs end FAILED INTERNAL',
    together: true,
    patches: [
      {
        file: 'src/activities/settle-run.ts',
        find: 'let released = false;',
        replace: `if (settlement.kind === 'COMPLETED' && Math.random() < 0.25)
        settlement = { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } };
      let released = false;`,
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['failures-are-explained'] },
  },
  {
    name: 'runs of a session start side by side',
    together: true,
    patches: [
      {
        file: 'src/store/runs/runs.ts',
        find: 'const before = seq === 1 ? undefined : await openRunOfSession(tx, run);',
        replace: 'const before = undefined as { runId: string; status: RunStatus } | undefined;',
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['sessions-in-one-order'], kinds: ['session'] },
  },
  {
    name: 'an approved call of a pause is left out',
    together: true,
    patches: [
      {
        file: 'src/store/calls/decisions.ts',
        find: "approved: decidedAs('APPROVE'),",
        replace: "approved: decidedAs('APPROVE').slice(1),",
      },
      // Left out, it would be found where the model is asked on, and where the run ends.
      {
        file: 'src/store/turns/turns.ts',
        find: 'const missing = missingBefore(turn, work.turns);',
        replace: 'const missing = undefined as string | undefined;',
      },
      {
        file: 'src/store/runs/settle.ts',
        find: "asked.kind === 'COMPLETED' ? await missingBeforeEnd(tx, runId, asked.turn) : undefined",
        replace: 'undefined as string | undefined',
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['completed-skips-nothing'], kinds: ['approve'] },
  },
  {
    name: 'dispatches are not in the audit',
    together: true,
    patches: [
      {
        file: 'src/store/calls/calls.ts',
        find: "action: 'call.dispatched',",
        replace: "action: 'call.sent',",
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['every-delivery-is-in-the-ledger'] },
  },
  {
    name: 'a click is kept for the next pause',
    patches: [
      {
        file: 'src/workflows/approvals.ts',
        find: 'received.length === 0 || !patched',
        replace: 'true || !patched',
      },
      {
        file: 'src/activities/operator-vote.ts',
        find: 'const shownPauseId = signal.pauseId ?? asked;',
        replace: 'const shownPauseId = asked;',
      },
    ],
    caughtBy: {
      seconds: 60,
      faults: ['pg-stop', 'pg-kill', 'pg-stop', 'pg-stop'],
      rules: ['signal-is-for-its-pause'],
      kinds: ['operator'],
    },
  },
  ...SEAM_BUGS,
  {
    name: 'Temporal away is taken for a workflow that is gone',
    patches: [
      {
        file: 'src/temporal/workflow-observer.ts',
        find: 'if (!(error instanceof WorkflowNotFoundError)) throw error;',
        replace: '',
      },
    ],
    caughtBy: { tests: ['test/temporal/workflow-observer.test.ts'] },
  },
  {
    name: 'a line that Temporal did not take counts as taken',
    patches: [
      {
        file: 'src/temporal/send-line.ts',
        find: "'Temporal did not take an outbox line; it is tried again', ); return false;",
        replace: "'Temporal did not take an outbox line; it is tried again', ); return true;",
      },
    ],
    caughtBy: { tests: ['test/temporal/outbox.test.ts'] },
  },
  {
    name: 'the approval leaves out what it is of',
    patches: [
      {
        file: 'src/store/calls/call-hash.ts',
        find: '"org":${s(call.orgId)},"runId":${s(call.runId)},',
        replace: '',
      },
    ],
    caughtBy: { tests: ['test/store/call-hash.test.ts'] },
  },
  {
    name: 'the last look always says go',
    patches: [
      {
        file: 'src/store/calls/calls.ts',
        find: "if (run === undefined || row === undefined) return 'LOST';",
        replace:
          "if (run !== undefined) return 'GO';\n  if (run === undefined || row === undefined) return 'LOST';",
      },
    ],
    caughtBy: { tests: ['test/store/pglite.test.ts'] },
  },
  {
    name: 'no key on the tool call',
    patches: [
      {
        file: 'src/tools/http-tool.ts',
        find: '[HEADER.idempotencyKey.toLowerCase()]: legalValue(ctx.idempotencyKey),',
        replace: '',
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['every-delivery-has-its-key'] },
  },
  {
    name: 'hash not compared',
    patches: [
      {
        file: 'src/store/calls/changed-calls.ts',
        find: "const textChanged = now !== (row.approval === 'required' ? row.approved_hash : row.arguments_hash);",
        replace: 'const textChanged = now === undefined;',
      },
    ],
    caughtBy: { tests: ['test/store/pglite.test.ts'] },
  },
  {
    name: 'answer before commit',
    patches: [
      {
        file: 'src/api/runs/start-routes.ts',
        find: `      const started = await commit(deps, run);
      void sendStart(deps, started).catch(() => false);`,
        replace: `      const started = { kind: 'STARTED', runId: run.runId, released: true } as Started;
      void commit(deps, run).then((made) => sendStart(deps, made)).catch(() => false);`,
      },
    ],
    caughtBy: {
      seconds: 50,
      faults: ['kill-api', 'pg-kill', 'lost-commit-api', 'pg-kill'],
      rules: ['acknowledged-is-there', 'acknowledged-is-kept', 'one-key-one-run'],
    },
  },
  {
    name: 'no chunk timeout',
    patches: [
      {
        file: 'src/models/openai/call.ts',
        find: 'if (!collector.finished()) waitAtMost(clock.silenceMs);',
        replace: 'if (!collector.finished()) clearTimeout(silence);',
      },
    ],
    caughtBy: { tests: ['test/models/openai-model.test.ts', 'test/models/provider-fault.test.ts'] },
  },
  {
    name: 'approval kept per run',
    patches: [
      {
        file: 'src/workflows/agent-loop.ts',
        find: 'if (earlier === undefined) again = [...changed(again, ports), ...namesOf(open.filter(isGuarded))];',
        replace:
          "const sent = earlier === undefined ? await dispatch(namesOf(open.filter(isGuarded))) : [];\n  if ('kind' in sent) return sent;\n  again = [...again, ...sent];",
      },
      {
        file: 'src/store/calls/calls.ts',
        find: "if (unasked && !(await takesGrant(tx, run, callId, row, tool))) return { kind: 'ASK_AGAIN' };",
        replace: `const votedYes = await sql\`select 1 from decisions where run_id = \${runId} and action = 'APPROVE'\`.execute(tx.db);
  if (unasked && votedYes.rows.length === 0) return { kind: 'ASK_AGAIN' };`,
      },
      {
        file: 'src/store/calls/changed-calls.ts',
        find: "(row.approval === 'required' ? row.approved_hash : row.arguments_hash)",
        replace:
          "(row.approval === 'required' ? (row.approved_hash ?? row.arguments_hash) : row.arguments_hash)",
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['approved-before-effect'], kinds: ['two-pauses'] },
  },
  {
    name: 'tenant filter off',
    together: true,
    patches: [
      {
        file: 'src/store/queries/visibility.ts',
        find: 'const ofOrg = sql<boolean>`r.org_id = ${viewer.orgId}`;',
        replace: 'const ofOrg = sql<boolean>`true`;',
      },
      { file: 'src/store/database/access.ts', find: '{ org: orgId }', replace: "'reconciler'" },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['no-foreign-bytes'], kinds: ['approve'] },
  },
  {
    name: 'retry of a non-idempotent tool',
    patches: [
      {
        file: 'src/store/calls/outcomes.ts',
        find: "if (row.retry !== 'never' && count < MAX_UNANSWERED",
        replace: 'if (count < MAX_UNANSWERED',
      },
    ],
    caughtBy: {
      seconds: 50,
      faults: ['tool-drop', 'tool-slow', 'tool-drop'],
      rules: ['effects-at-most-once', 'unknown-is-surfaced'],
    },
  },
  {
    name: 'decision accepted after cancel',
    patches: [
      {
        file: 'src/store/calls/vote-policy.ts',
        find: "if (s.status !== 'PAUSED') {",
        replace: "if (s.status !== 'PAUSED' && s.status !== 'CANCELLED') {",
      },
    ],
    caughtBy: { seconds: 40, faults: [], rules: ['cancel-stands'], kinds: ['cancel'] },
  },
];
