// A call that was begun within a workflow's task, as a claim of another attempt finds it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { claimCall, type Claim } from '../../src/store/calls/calls.ts';
import { drive, openBench, type Bench } from './fixture.ts';

describe('a call that was begun within a workflow’s task', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  const claim = (runId: string, callId: string, inPlace = false): Promise<Claim> =>
    bench.store.asWorker((tx) =>
      claimCall(tx, {
        runId,
        callId,
        attemptId: randomUUID(),
        inPlace,
        versionNow: () => undefined,
      }),
    );

  async function begun(tool: string): Promise<{ runId: string; callId: string; first: Claim }> {
    const s = drive(bench.store);
    const run = await s.start();
    const { runId } = run;
    const [callId = ''] = await s.asks(run, 1, [tool]);
    return { runId, callId, first: await claim(runId, callId, true) };
  }

  it('is left to the worker that has it, as long as that says that it lives', async () => {
    const { runId, callId, first } = await begun('look');
    assert.equal(first.kind, 'DISPATCH');
    assert.equal((await claim(runId, callId)).kind, 'UNDER_WAY');
    await bench.store.asWorker((tx) =>
      sql`update attempts set beat_at = clock_timestamp() - interval '6 seconds' where call_id = ${callId}`.execute(
        tx.db,
      ),
    );
    const next = await claim(runId, callId);
    assert.notEqual(next.kind, 'UNDER_WAY');
  });

  it('is left to nobody once that attempt has ended', async () => {
    const { runId, callId } = await begun('look');
    await bench.store.asWorker((tx) =>
      sql`update attempts set ended_at = clock_timestamp() where call_id = ${callId}`.execute(
        tx.db,
      ),
    );
    assert.notEqual((await claim(runId, callId)).kind, 'UNDER_WAY');
  });

  it('goes out under its claim only where it may be repeated and waits for nobody', async () => {
    const may = async (tool: string): Promise<boolean> => {
      const { first } = await begun(tool);
      return first.kind === 'DISPATCH' && first.call.mayGo;
    };
    assert.equal(await may('look'), true);
    assert.equal(await may('note'), false);
  });
});
