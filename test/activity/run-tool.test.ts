import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { tmpdir } from 'node:os';
import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import { z } from 'zod';
import { createRunTool, type RunToolRequest } from '../../src/activities/run-tool.ts';
import type { ToolSnapshot } from '../../src/contract/agent.ts';
import type { CallOutcome } from '../../src/contract/turn.ts';
import { defineTool, type CodeTool, type ToolContext } from '../../src/tools/define-tool.ts';
import { quietly } from './quietly.ts';
import { agent, all, drive, openBench, person, tool, type Bench } from '../store/fixture.ts';

describe('the activity runTool', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  /** Another file stands in for the same one, changed. */
  const CHANGED = new URL('quietly.ts', import.meta.url).href;
  type Act = (ctx: ToolContext) => Promise<string>;
  const coded = (
    act: Act,
    more: { readonly source?: string; readonly idempotent?: boolean } = {},
  ): CodeTool =>
    defineTool({
      name: 'act',
      description: 'Acts.',
      source: import.meta.url,
      input: z.object({ x: z.number() }),
      ...more,
      run: (_args, ctx) => act(ctx),
    });

  const snapshotOf = (code: CodeTool): ToolSnapshot => {
    const { run: _, ...rest } = code;
    return tool('act', { ...rest, kind: 'code', approvers: null });
  };

  /** A run whose model asked for the tool; approved where it is guarded. */
  async function proposed(code: CodeTool) {
    const s = drive(bench.store);
    const run = await s.start({ agent: agent({ tools: [snapshotOf(code)] }) });
    const [callId = ''] = await s.asks(run, 1, ['act']);
    if (code.approval === 'required') {
      await s.pause(run, 1, 1, [callId]);
      await s.vote(run, person('lea'), all('APPROVE'));
    }
    const attempt = (codeTools: readonly CodeTool[] = [code]): Promise<CallOutcome> => {
      const deps = {
        store: bench.store,
        codeTools: new Map(codeTools.map((t) => [t.name, t])),
        secret: () => undefined,
        dataDir: tmpdir(),
      };
      const runTool = createRunTool(deps);
      return quietly().run<[RunToolRequest], CallOutcome, typeof runTool>(runTool, {
        runId: run.runId,
        callId,
      });
    };
    return { s, run, callId, attempt };
  }

  it('runs an approved call once; a repeated attempt gives back the outcome', async () => {
    let acted = 0;
    const { attempt, s, run } = await proposed(
      coded(async (ctx) => (await ctx.beforeWrite(), acted++, 'done')),
    );
    const first = await attempt();
    assert.equal(first.kind, 'DONE');
    assert.deepEqual(await attempt(), first);
    assert.equal(acted, 1);
    assert.equal((await s.read(run)).calls[0]?.result, 'done');
  });

  it('a text changed between the claim and the write is not run: the call is asked about again', async () => {
    let acted = 0;
    const { attempt, s, run, callId } = await proposed(
      coded(async (ctx) => {
        await sql`update calls set arguments = '{"x":2}' where call_id = ${callIdNow}`.execute(
          bench.db.kysely,
        );
        await ctx.beforeWrite();
        acted++;
        return 'done';
      }),
    );
    const callIdNow = callId;
    assert.deepEqual(await attempt(), { kind: 'ASK_AGAIN' });
    assert.equal(acted, 0);
    assert.equal((await s.read(run)).calls[0]?.state, 'PROPOSED');
  });

  it('a run cancelled between the claim and the write is not acted for', async () => {
    let acted = 0;
    const held: { cancel?: () => Promise<void> } = {};
    const { attempt, s, run } = await proposed(
      coded(async (ctx) => {
        await held.cancel?.();
        await ctx.beforeWrite();
        acted++;
        return 'done';
      }),
    );
    held.cancel = () => s.cancel(run);
    await assert.rejects(
      attempt(),
      (error) => error instanceof ApplicationFailure && error.type === 'TRIED_AGAIN',
    );
    assert.equal((await attempt()).kind, 'ENDED');
    assert.equal(acted, 0);
  });

  it('a worker that stalls before the write is not taken for one that acted: another makes the call, once, and nobody is asked', async () => {
    let acted = 0;
    const goesOn = new EventEmitter();
    const stalls = coded(async (ctx) => {
      goesOn.emit('stalled');
      await once(goesOn, 'again');
      await ctx.beforeWrite();
      acted++;
      return 'the stalled one';
    });
    const { attempt, s, run } = await proposed(stalls);
    const hasStalled = once(goesOn, 'stalled');
    const stalled = attempt();
    await hasStalled;
    const other = coded(async (ctx) => (await ctx.beforeWrite(), acted++, 'the other one'));
    assert.equal((await attempt([other])).kind, 'DONE');
    goesOn.emit('again');
    await assert.rejects(
      stalled,
      (error) => error instanceof ApplicationFailure && error.type === 'TRIED_AGAIN',
    );
    assert.equal(acted, 1);
    const { calls, status } = await s.read(run);
    assert.deepEqual([calls[0]?.result, status], ['the other one', 'RUNNING']);
  });

  it('a tool that breaks off after it may have acted is unknown, unless it may be repeated', async () => {
    const broken: Act = async (ctx) => {
      await ctx.beforeWrite();
      throw new Error('the line went dead');
    };
    const once = await proposed(coded(broken));
    assert.deepEqual(await once.attempt(), { kind: 'UNKNOWN' });
    const keyed = await proposed(coded(broken, { idempotent: true }));
    await assert.rejects(
      keyed.attempt(),
      (error) => error instanceof ApplicationFailure && error.nonRetryable !== true,
    );
    await assert.rejects(keyed.attempt());
    assert.deepEqual(await keyed.attempt(), { kind: 'UNKNOWN' }, 'unanswered three times');
  });

  it("a worker that lacks the tool's code hands the call back: it is no tool error", async () => {
    const { attempt, s, run } = await proposed(coded(async () => 'done'));
    await assert.rejects(
      attempt([]),
      (error) => error instanceof ApplicationFailure && error.nonRetryable !== true,
    );
    assert.equal((await s.read(run)).calls[0]?.state, 'APPROVED');
    assert.equal((await attempt()).kind, 'DONE');
  });

  it('is recorded as dispatched in the audit when bytes may have gone, not when a worker lacks the tool', async () => {
    const { attempt, run } = await proposed(
      coded(async (ctx) => (await ctx.beforeWrite(), 'done')),
    );
    const told = async (): Promise<readonly unknown[]> =>
      (
        await sql<{ n: unknown }>`select data->>'n' as n from audit
          where run_id = ${run.runId} and action = 'call.dispatched'`.execute(bench.db.kysely)
      ).rows.map((row) => row.n);
    for (let i = 0; i < 3; i++) await assert.rejects(attempt([]));
    assert.deepEqual(await told(), []);
    assert.equal((await attempt()).kind, 'DONE');
    assert.deepEqual(await told(), ['4']);
  });

  it('a tool whose code changed since the approval is asked about again', async () => {
    const { attempt } = await proposed(coded(async () => 'done'));
    assert.deepEqual(await attempt([coded(async () => 'done', { source: CHANGED })]), {
      kind: 'ASK_AGAIN',
    });
  });
});
