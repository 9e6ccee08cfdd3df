import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { until } from '../rig/wait.ts';
import { deliveriesOf, startCluster, type Cluster } from './cluster.ts';
import { historyOf, wordsOf, type HistoryEvent } from './history.ts';
import { pendingOf, plan, type Caller } from './stage.ts';

/** What a click that was meant for another pause would have done by then. */
const STALE_EFFECT_MS = 1500;

describe('an operator in Temporal', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let ada: Caller;
  let lea: Caller;
  before(async function () {
    cluster = await startCluster(this);
    ada = await cluster.as('ada');
    lea = await cluster.as('lea');
  });
  after(() => cluster?.stop());

  const cli = (...args: readonly string[]) => cluster.temporal.cli(['workflow', ...args]);
  const signal = (runId: string, name: string) =>
    cli('signal', '--workflow-id', runId, '--name', name);
  const statusOf = async (runId: string) => (await ada.read({ runId })).run.status;

  /** Two payments, one a turn: the second has to be asked about by itself. */
  async function twoPayments(): Promise<{ runId: string; pauseId: string | undefined }> {
    const { run } = await ada.ask(
      plan([['pay', { amount: 5 }]], [['pay', { amount: 1_000_000 }]], 'Paid.'),
    );
    assert.equal(run.status, 'PAUSED');
    return { runId: run.runId, pauseId: run.pauseId };
  }
  async function stillAsksAboutTheSecond(runId: string, first?: string): Promise<void> {
    await until('the second payment is asked about', async () => {
      const { run } = await ada.read({ runId });
      return run.status === 'PAUSED' && run.pauseId !== first;
    });
    await sleep(STALE_EFFECT_MS);
    const { run } = await ada.read({ runId });
    assert.equal(run.status, 'PAUSED');
    assert.deepEqual(pendingOf(run)[0]?.votes, []);
    assert.equal(deliveriesOf(cluster.stage, runId).length, 1);
  }

  it('who clicks twice while the record is locked decides the pause that was shown, not the next', async () => {
    const { runId, pauseId } = await twoPayments();
    const holder = new pg.Client({ connectionString: cluster.databaseUrl });
    await holder.connect();
    await holder.query('begin');
    await holder.query('select 1 from runs where run_id = $1 for update', [runId]);
    await signal(runId, 'approve');
    // longer than the one try inside the workflow task, so that the second click finds it waiting
    await sleep(2500);
    await signal(runId, 'approve');
    await holder.query('rollback');
    await holder.end();
    await stillAsksAboutTheSecond(runId, pauseId);
    await ada.cancel({ runId });
  });

  it('a click that a reset plays again decides nothing but its own pause', async () => {
    const { runId, pauseId } = await twoPayments();
    await signal(runId, 'approve');
    await stillAsksAboutTheSecond(runId, pauseId);
    const events = await historyOf(cluster.temporal.cli, runId);
    const clicked = events.findIndex((event) => typeOf(event) === 'WORKFLOW_EXECUTION_SIGNALED');
    const handled = events
      .slice(clicked)
      .find((event) => typeOf(event) === 'WORKFLOW_TASK_COMPLETED');
    await cli(
      ...['reset', '--workflow-id', runId, '--event-id', String(handled?.['eventId'])],
      ...['--reason', 'a test'],
    );
    await stillAsksAboutTheSecond(runId, pauseId);
    await ada.cancel({ runId });
  });

  it('who terminated a run finds two executions once it is retried: what was done is not done again', async () => {
    const { run } = await ada.ask(
      plan([['keep', { note: 'once' }]], [['pay', { amount: 5 }]], 'Paid.'),
    );
    const [first] = pendingOf(run);
    const { runId } = run;
    await cli('terminate', '--workflow-id', runId);
    await until('it has failed', async () => (await statusOf(runId)) === 'FAILED');
    const answer = await ada.retry(run, 'once');
    assert.deepEqual([answer.status, answer.run.status], [200, 'PAUSED']);
    assert.equal(answer.run.error, undefined);
    const [again] = pendingOf(answer.run);
    assert.equal(again?.callId, first?.callId);
    assert.notEqual(answer.run.pauseId, run.pauseId);
    const joined = await ada.retry(run, 'once');
    assert.equal(joined.headers.get('idempotency-replayed'), 'true');
    assert.equal((await ada.retry(run)).status, 409);
    const end = await lea.decide(run, { action: 'APPROVE', pauseId: answer.run.pauseId });
    assert.deepEqual([end.run.status, end.run.content], ['COMPLETED', 'Paid.']);
    assert.equal(deliveriesOf(cluster.stage, runId).length, 2, 'one a call');
    const executions = await cli(
      ...['list', '--query', `WorkflowId = '${runId}'`, '--output', 'json'],
    );
    const statuses = [...executions.matchAll(/WORKFLOW_EXECUTION_STATUS_(\w+)/g)].map(([, s]) => s);
    assert.deepEqual(statuses.toSorted(), ['COMPLETED', 'TERMINATED']);
  });

  it('finds no approve in the history of a rejected run: its wake-up is "decided" and says what', async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Not paid.'));
    const callId = pendingOf(run)[0]?.callId;
    await lea.decide(run, { action: 'REJECT' });
    await until('it ends', async () => (await statusOf(run.runId)) === 'COMPLETED');
    const events = await historyOf(cluster.temporal.cli, run.runId);
    const signals = events.flatMap((event) => {
      const told = event['workflowExecutionSignaledEventAttributes'] as Signaled | undefined;
      return told === undefined ? [] : [told];
    });
    assert.deepEqual(
      signals.map((told) => told.signalName),
      ['decided'],
    );
    for (const said of [`"callId":"${callId}"`, '"action":"REJECT"'])
      assert.ok(wordsOf(signals).includes(said), said);
    // What the paused run showed says how to decide, and that is all that names it.
    const others = wordsOf(events)
      .split('\n')
      .filter((word) => /\bapprove\b/i.test(word) && !word.startsWith('{"status":"PAUSED"'));
    assert.deepEqual(others, []);
  });
});

interface Signaled {
  readonly signalName: string;
}
const typeOf = (event: HistoryEvent): string => event.eventType.replace('EVENT_TYPE_', '');
