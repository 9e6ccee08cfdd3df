import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { sql } from 'kysely';
import type { CallState } from '../../src/store/queries/call-record.ts';
import type { RestoredRun } from '../../src/store/after-restore.ts';
import { acknowledgeOutboxLines, leaseOutboxLines } from '../../src/store/outbox.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { afterRestore } from '../../src/temporal/after-restore.ts';
import type { HistoryEvent, RestoreClient } from '../../src/temporal/after-restore-client.ts';
import {
  missingInRecord,
  progressOf,
  type Progress,
} from '../../src/temporal/after-restore-progress.ts';
import { drive, openBench, type Bench } from '../store/fixture.ts';

/** Of the newest release; what its workflows know is read from what was recorded of real runs. */
const HISTORIES = new URL('../replay/histories/0.2.0/', import.meta.url);
const recorded = (shape: string): Progress =>
  progressOf(
    historyFromJSON(JSON.parse(readFileSync(new URL(`${shape}.json`, HISTORIES), 'utf8')))
      .events as readonly HistoryEvent[],
  );

/** A record that is where the workflow was. */
function recordOf(progress: Progress): RestoredRun {
  const stateOf = (outcome: string | undefined): CallState =>
    outcome === 'DONE' ? 'SUCCEEDED' : outcome === 'UNKNOWN' ? 'UNKNOWN' : 'DISPATCHING';
  return {
    ...{ runId: 'run_1', orgId: 'acme', agentId: 'a', status: 'RUNNING' },
    turns: [...progress.turns],
    calls: [...progress.calls].map(([callId, outcome]) => ({ callId, state: stateOf(outcome) })),
    pauses: [...progress.pauses].map(([pauseId, decided]) => ({ pauseId, open: !decided })),
  };
}
/** As it was before the workflow settled its end. */
const still = (shape: string): Progress => ({ ...recorded(shape), ended: false });

describe('what a workflow knows and a restored record lacks', () => {
  const withCalls = (run: RestoredRun, state: CallState): RestoredRun => ({
    ...run,
    calls: run.calls.map((call) => ({ ...call, state })),
  });

  for (const shape of [
    'approved',
    'paused-open',
    'two-pauses',
    'unknown-outcome',
    'parallel-tools',
  ])
    it(`is nothing where they are at the same place: ${shape}`, () =>
      assert.equal(missingInRecord(still(shape), recordOf(recorded(shape))), undefined));

  it('is the end, a reply, a call, a pause, a decision, the outcome of a call', () => {
    const progress = still('approved');
    const whole = recordOf(progress);
    const lacks = (run: Partial<RestoredRun>) => missingInRecord(progress, { ...whole, ...run });
    assert.equal(missingInRecord(recorded('approved'), whole), 'the workflow has settled its end');
    assert.equal(lacks({ turns: [1] }), "the model's reply of turn 2");
    const [first, second] = whole.calls;
    assert.ok(first && second);
    assert.equal(lacks({ calls: [first] }), `the call ${second.callId}`);
    for (const state of ['PROPOSED', 'APPROVED', 'DISPATCHING', 'UNKNOWN'] as const)
      assert.equal(lacks(withCalls(whole, state)), `the outcome of ${first.callId}`);
    for (const state of ['SUCCEEDED', 'FAILED', 'REJECTED', 'LEFT'] as const)
      assert.equal(lacks(withCalls(whole, state)), undefined);
    const [pause] = whole.pauses;
    assert.ok(pause);
    assert.equal(lacks({ pauses: [] }), `the pause ${pause.pauseId}`);
    assert.equal(lacks({ pauses: [{ ...pause, open: true }] }), `the decision of ${pause.pauseId}`);
  });

  it('is that an outcome is unknown, where the record has the call as not answered yet', () => {
    const progress = still('unknown-outcome');
    const whole = recordOf(progress);
    const told = `that the outcome of ${whole.calls[0]?.callId} is unknown`;
    for (const [state, lacks] of [
      ...([
        ['PROPOSED', told],
        ['DISPATCHING', told],
      ] as const),
      ...([
        ['UNKNOWN', undefined],
        ['APPROVED', undefined],
        ['LEFT', undefined],
      ] as const),
    ])
      assert.equal(missingInRecord(progress, withCalls(whole, state)), lacks, state);
  });

  it('is no reply of a model that was away', () => {
    assert.deepEqual([...recorded('model-away-for-longer-than-patience').turns], [1]);
    assert.deepEqual([...recorded('waited-for-model').turns], [1, 2]);
  });
});

describe('the command after a restore', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  afterEach(() => sql`truncate runs, outbox cascade`.execute(bench.db.kysely));
  after(() => bench.close());
  const step = () => drive(bench.store);
  const statusOf = async (run: NewRun) => (await step().read(run)).status;

  /** Temporal, as each test says it is. */
  function client(
    looks: Readonly<Record<string, string>>,
    { begun = [], events = [] }: { begun?: readonly string[]; events?: readonly unknown[] } = {},
  ) {
    const said: string[] = [];
    const scripted: RestoreClient = {
      look: (runId) =>
        Promise.resolve({ status: looks[runId] ?? 'NOT_FOUND', begun: new Set(begun) }),
      history: () => Promise.resolve(events as readonly HistoryEvent[]),
      terminate: (runId) => (said.push(`terminate ${runId}`), Promise.resolve(undefined)),
      wake: (runId) => (said.push(`wake ${runId}`), Promise.resolve(undefined)),
      open: () => Promise.resolve(Object.keys(looks).filter((id) => looks[id] === 'RUNNING')),
      closedSince: () =>
        Promise.resolve(Object.keys(looks).filter((id) => looks[id] !== 'RUNNING')),
    };
    return { said, scripted };
  }
  const scheduled = (id: string, type: string, input: object) => ({
    eventId: id,
    activityTaskScheduledEventAttributes: {
      activityId: id,
      activityType: { name: type },
      input: { payloads: [payload(input)] },
    },
  });
  const payload = (value: object) => ({
    metadata: { encoding: new TextEncoder().encode('json/plain') },
    data: new TextEncoder().encode(JSON.stringify(value)),
  });

  it('takes a call that a worker had begun for one that went out, and no other', async () => {
    const run = await step().start();
    const [first = '', second = '', guarded = ''] = await step().asks(run, 1, [
      ...['look', 'look', 'send'],
    ]);
    const { scripted } = client(
      { [run.runId]: 'RUNNING' },
      {
        begun: ['5', '9', '11'],
        events: [
          scheduled('5', 'runTool', { callId: first }),
          scheduled('7', 'runTool', { callId: second }),
          scheduled('9', 'suggestFollowUps', { callId: second }),
          // Begun under an approval that the record has lost: it is asked for again.
          scheduled('11', 'runTool', { callId: guarded }),
        ],
      },
    );
    const report = await afterRestore(bench.store, scripted);
    assert.deepEqual(report.kept, [run.runId]);
    assert.deepEqual(report.unanswered, [{ runId: run.runId, callIds: [first] }]);
  });

  it('terminates the workflow that went on before its run is ended, and keeps the calls as unknown', async () => {
    const run = await step().start();
    const [callId = '', done = ''] = await step().asks(run, 1, ['look', 'look']);
    const { n } = await step().goesOut(run, done);
    await step().record(run, done, n);
    const { said, scripted } = client(
      { [run.runId]: 'RUNNING', younger: 'RUNNING', older: 'COMPLETED' },
      { events: [scheduled('5', 'runTool', { callId: 'call_that_is_not_there' })] },
    );
    const report = await afterRestore(bench.store, scripted);
    assert.deepEqual(said, [`terminate ${run.runId}`, 'wake younger']);
    assert.deepEqual(
      report.ended.map(({ runId, is }) => [runId, is]),
      [[run.runId, 'FAILED']],
    );
    assert.deepEqual([report.openWithoutRun, report.closedWithoutRun], [['younger'], ['older']]);
    assert.deepEqual(
      (await step().read(run)).calls.map((call) => [call.callId, call.state]),
      [
        [callId, 'LEFT'],
        [done, 'SUCCEEDED'],
      ],
    );
  });

  it('sends no start again, neither of a run that goes on nor of one that has ended', async () => {
    const [goesOn, ended, unknown] = await Promise.all([1, 2, 3].map(() => step().start()));
    assert.ok(goesOn && ended && unknown);
    await step().cancel(ended);
    await sql`update outbox set acknowledged_at = null where kind = 'START'`.execute(
      bench.db.kysely,
    );
    const { scripted } = client({ [goesOn.runId]: 'RUNNING' });
    const report = await afterRestore(bench.store, scripted);
    assert.equal(report.withdrawnStarts, 1);
    const lines = await bench.store.asReconciler((tx) =>
      leaseOutboxLines(tx, null, 100, randomUUID()),
    );
    assert.deepEqual(
      lines.filter(({ message }) => message.kind === 'START'),
      [],
    );
    assert.deepEqual(
      [await statusOf(goesOn), await statusOf(ended), await statusOf(unknown)],
      ['QUEUED', 'CANCELLED', 'FAILED'],
    );
  });

  it('comes by every open run, however many there are', async () => {
    const runs = await Promise.all(Array.from({ length: 101 }, () => step().start()));
    const looks = Object.fromEntries(runs.map(({ runId }) => [runId, 'RUNNING']));
    const { kept } = await afterRestore(bench.store, client(looks).scripted);
    assert.deepEqual(kept, runs.map(({ runId }) => runId).toSorted());
  });

  it('leaves what is to be said besides the starts: a decision and a cancel are sent', async () => {
    const run = await step().start();
    const calls = await step().asks(run, 1, ['send']);
    await step().pause(run, 1, 1, calls);
    await step().cancel(run);
    await bench.store.asReconciler(async (tx) => {
      const starts = (await leaseOutboxLines(tx, run.runId, 9, randomUUID())).filter(
        ({ message }) => message.kind === 'START',
      );
      await acknowledgeOutboxLines(
        tx,
        starts.map(({ id }) => id),
      );
    });
    await afterRestore(bench.store, client({}).scripted);
    const { rows } = await sql<{ kind: string }>`
      select kind from outbox where run_id = ${run.runId} and acknowledged_at is null`.execute(
      bench.db.kysely,
    );
    assert.deepEqual(rows, [{ kind: 'CANCEL' }]);
  });
});
