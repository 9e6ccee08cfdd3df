import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { until } from '../rig/wait.ts';
import { deliveriesOf, startCluster, type Cluster } from './cluster.ts';
import { historyOf, inputOf, wordsOf, type HistoryEvent } from './history.ts';
import { followPlan, pendingOf, plan, type Caller } from './stage.ts';

/** What a click that was meant for another pause would have done by then. */
const STALE_EFFECT_MS = 1500;

describe('an operator in Temporal', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let refuses = false;
  let ada: Caller;
  let lea: Caller;
  before(async function () {
    cluster = await startCluster(this, {
      reply: (body) => (refuses ? { status: 400 } : followPlan(body)),
    });
    ada = await cluster.as('ada');
    lea = await cluster.as('lea');
  });
  after(() => cluster?.stop());

  const cli = (...args: readonly string[]) => cluster.temporal.cli(['workflow', ...args]);
  const signal = (runId: string, name: string) =>
    cli('signal', '--workflow-id', runId, '--name', name);
  const statusOf = async (runId: string) => (await ada.read({ runId })).run.status;

  /** As the Web UI asks the workflow for them. */
  const detailsOf = async (runId: string): Promise<string> => {
    const told = JSON.parse(await cli('metadata', '-w', runId, '-o', 'json')) as {
      readonly queryResult?: readonly [{ readonly currentDetails?: string }];
    };
    return told.queryResult?.[0].currentDetails ?? '';
  };

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

  it('who pauses the workflow holds the run: the API says so, a vote counts and answers 202, and the run goes on when it is let go', async () => {
    const heldBy = async (runId: string) => (await ada.read({ runId })).run.heldBy;
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Paid.'));
    const { runId } = run;
    assert.equal(run.heldBy, undefined);
    await cli('pause', '--workflow-id', runId, '--reason', 'a test');
    await until('it is said', async () => (await heldBy(runId)) === 'operator');
    assert.equal((await ada.read({ runId })).run.status, 'PAUSED');
    const began = Date.now();
    const voted = await lea.decide(run, { action: 'APPROVE' });
    assert.deepEqual(
      [voted.status, voted.run.status, voted.run.heldBy],
      [202, 'RUNNING', 'operator'],
    );
    assert.ok(Date.now() - began < 2000, 'and not after the whole wait');
    await sleep(STALE_EFFECT_MS);
    assert.equal(deliveriesOf(cluster.stage, runId).length, 0);
    await cli('unpause', '--workflow-id', runId);
    const end = await ada.read({ runId }, 20);
    assert.deepEqual([end.run.status, end.run.content], ['COMPLETED', 'Paid.']);
    assert.equal(end.run.heldBy, undefined);
    assert.equal(deliveriesOf(cluster.stage, runId).length, 1);
  });

  it('a vote that waits is answered 202 when the run is paused meanwhile; one that ends held is cancelled all the same', async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5, mode: 'slow:6000' }]], 'Paid.'));
    const { runId } = run;
    const voting = lea.decide(run, { action: 'APPROVE' });
    await until('it is paid', () => deliveriesOf(cluster.stage, runId).length === 1);
    await cli('pause', '--workflow-id', runId);
    const voted = await voting;
    assert.deepEqual([voted.status, voted.run.heldBy], [202, 'operator']);
    assert.equal(await ada.cancel({ runId }), 204);
    const { run: cancelled } = await ada.read({ runId });
    assert.deepEqual([cancelled.status, cancelled.heldBy], ['CANCELLED', undefined]);
  });

  it('a retry at once after FAILED was read is never taken for the execution that is about to close', async () => {
    for (let n = 1; n <= 10; n++) {
      refuses = true;
      const { run } = await ada.ask(plan('Here it is.'));
      assert.equal(run.error?.code, 'MODEL_REJECTED');
      refuses = false;
      const again = await ada.retry(run);
      assert.deepEqual([again.status, again.run.status], [200, 'COMPLETED'], `the ${n}th`);
    }
  });

  it('who starts a workflow like a paused one starts nothing: the run waits as before, and pays once', async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Paid.'));
    const copy = `copy-of-${run.runId}`;
    await cli(
      ...['start', '--type', 'agentRun', '--task-queue', 'holdpoint', '-w', copy],
      ...['--input', inputOf(await historyOf(cluster.temporal.cli, run.runId))],
    );
    await until('the copy has closed', async () =>
      /NOT_A_RUN/.test(await cli('describe', '-w', copy, '-o', 'json')),
    );
    assert.equal(await statusOf(run.runId), 'PAUSED');
    const { run: end } = await lea.decide(run, { action: 'APPROVE' });
    assert.equal(end.status, 'COMPLETED');
    assert.equal(deliveriesOf(cluster.stage, run.runId).length, 1);
  });

  it('finds no approve in the history of a rejected run: its wake-up says who decided, how and why', async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Not paid.'));
    const callId = pendingOf(run)[0]?.callId;
    const reason = `too dear ${'x'.repeat(300)}`;
    await lea.decide(run, { action: 'REJECT', reason });
    await until('it ends', async () => (await statusOf(run.runId)) === 'COMPLETED');
    const events = await historyOf(cluster.temporal.cli, run.runId);
    const signals = signalsIn(events);
    assert.deepEqual(
      signals.map((told) => told.signalName),
      ['decided'],
    );
    assert.deepEqual(payloadOf(signals[0]), {
      pauseId: run.pauseId,
      calls: [
        {
          ...{ callId, tool: 'pay', action: 'REJECT', by: ['lea'], via: 'API' },
          reason: `${reason.slice(0, 200)}…`,
        },
      ],
    });
    // What the paused run showed says how to decide, and that is all that names it.
    const others = wordsOf(events)
      .split('\n')
      .filter((word) => /\bapprove\b/i.test(word) && !word.startsWith('{"status":"PAUSED"'));
    assert.deepEqual(others, []);
  });

  it('reads in the details what was decided, and at the end the tokens and the beginning of the answer', async () => {
    const answer = `Paid at last. ${'y'.repeat(300)}\n\nA second line of the answer.`;
    const { run } = await ada.ask(
      plan(
        [['look', { note: 'a-note' }]],
        [['pay', { amount: 5 }]],
        [['pay', { amount: 6 }]],
        answer,
      ),
    );
    const { runId } = run;
    await cli('signal', '-w', runId, '--name', 'approve', '--input', '{"reason":"all *fine*"}');
    await until('it asks again', async () => {
      const now = (await ada.read({ runId })).run;
      return now.status === 'PAUSED' && now.pauseId !== run.pauseId;
    });
    const firstWakeUp = signalsIn(await historyOf(cluster.temporal.cli, runId)).at(-1);
    const callId = pendingOf(run)[0]?.callId;
    const how = { by: ['operator'], via: 'TEMPORAL', reason: 'all *fine*' };
    assert.deepEqual(payloadOf(firstWakeUp), {
      pauseId: run.pauseId,
      calls: [{ callId, tool: 'pay', action: 'APPROVE', ...how }],
    });
    const again = (await ada.read({ runId })).run;
    await lea.decide(again, { action: 'APPROVE', pauseId: again.pauseId });
    await until('it ends', async () => (await statusOf(runId)) === 'COMPLETED');
    const closed = async (): Promise<HistoryEvent | undefined> =>
      (await historyOf(cluster.temporal.cli, runId)).find(
        (event) => typeOf(event) === 'WORKFLOW_EXECUTION_COMPLETED',
      );
    await until('it has closed', async () => (await closed()) !== undefined);
    const { totalTokens } = (await ada.read({ runId })).run.metadata;
    const [result] = wordsOf(await closed())
      .split('\n')
      .flatMap((word) => (word.startsWith('{"runId"') ? [JSON.parse(word) as object] : []));
    assert.deepEqual(result, {
      ...{ runId, status: 'COMPLETED', tokens: totalTokens },
      answer: `${answer.slice(0, 200)}…`,
    });
    assert.match(
      await detailsOf(runId),
      /This run has ended: COMPLETED\. It took \d+ tokens\. Its answer begins: `Paid at last/,
    );
    const words = wordsOf(await historyOf(cluster.temporal.cli, runId));
    for (const hidden of ['A second line', 'done 1']) assert.ok(!words.includes(hidden), hidden);
  });

  it('reads right after a decision what it was, and of a failed run what to do', async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5, mode: 'slow:4000' }]], 'Paid.'));
    const { runId } = run;
    await lea.decide(run, { action: 'APPROVE', reason: 'as *agreed*' }, 'respond-async');
    await until('it pays', () => deliveriesOf(cluster.stage, runId).length === 1);
    const details = await detailsOf(runId);
    assert.match(
      details,
      /Decided:\n\n- \*\*pay\*\* was approved by lea through the API: as \*agreed\*/,
    );
    assert.doesNotMatch(details, /waits for a person/);
    await ada.cancel({ runId });
    refuses = true;
    const { run: failed } = await ada.ask(plan('Here.'));
    refuses = false;
    await until('it has closed', async () =>
      /Failed|FAILED/.test(await cli('describe', '-w', failed.runId, '-o', 'json')),
    );
    const words = wordsOf(await historyOf(cluster.temporal.cli, failed.runId));
    assert.match(words, /What to do: Mend what the model's server refuses .*npx holdpoint retry/);
    assert.match(await detailsOf(failed.runId), /FAILED\. MODEL_REJECTED: .*What to do: /);
    assert.doesNotMatch(failed.error?.message ?? '', /What to do/);
  });
});

interface Signaled {
  readonly signalName: string;
  readonly input?: { readonly payloads?: readonly { readonly data: string }[] };
}
const signalsIn = (events: readonly HistoryEvent[]): readonly Signaled[] =>
  events.flatMap((event) => {
    const told = event['workflowExecutionSignaledEventAttributes'] as Signaled | undefined;
    return told === undefined ? [] : [told];
  });
const payloadOf = (told: Signaled | undefined): unknown =>
  JSON.parse(Buffer.from(told?.input?.payloads?.[0]?.data ?? '', 'base64').toString());
const typeOf = (event: HistoryEvent): string => event.eventType.replace('EVENT_TYPE_', '');
