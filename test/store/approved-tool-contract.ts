// What every store must keep of the tool and the policy that an approval was given for, on both
// databases.

import assert from 'node:assert/strict';
import { sql, type RawBuilder } from 'kysely';
import { hashOfCall } from '../../src/store/calls/call-hash.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { all, drive, one, person, tool, agent, type Bench } from './fixture.ts';

const guarded = tool('send', { approvers: ['user:lea'] });

export function describeApprovedTool(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const change = (statement: RawBuilder<unknown>) => statement.execute(bench().db.kysely);

  async function approved(): Promise<{ run: NewRun; callId: string }> {
    const run = await step().start({ agent: agent({ tools: [guarded] }) });
    const [callId = ''] = await step().asks(run, 1, ['send']);
    await step().pause(run, 1, 1, [callId]);
    await step().vote(run, person('lea'), all('APPROVE'));
    return { run, callId };
  }

  describe('what was approved', () => {
    const inSnapshot = (path: string, value: string) => (run: NewRun) =>
      sql`update agent_snapshots set body = jsonb_set(body, ${path}::text[], ${value}::jsonb) where revision = ${run.agent.revision}`;
    const inRow = (what: RawBuilder<unknown>) => (run: NewRun) =>
      sql`update calls set ${what} where run_id = ${run.runId}`;
    const changes: Readonly<Record<string, (run: NewRun) => RawBuilder<unknown>>> = {
      'the address of its tool': inSnapshot(
        '{tools,0,http}',
        '{"method":"POST","url":"http://elsewhere.test/","headers":{}}',
      ),
      'the input of its tool': inSnapshot('{tools,0,input}', '{"type":"object","required":["x"]}'),
      'the description of its tool': inSnapshot('{tools,0,description}', '"Does nothing."'),
      'who may approve, in the snapshot': inSnapshot('{tools,0,approvers}', '["user:eve"]'),
      'who may approve, in its row': inRow(sql`approvers = null`),
      'its risk': inRow(sql`risk = 'high'`),
      'how often it may be repeated': inRow(sql`retry = 'never'`),
      'the number of votes it needs': inSnapshot('{approvals,quorum}', '2'),
      'whether its asker may approve it': inSnapshot('{approvals,fourEyes}', 'true'),
    };
    for (const [what, changed] of Object.entries(changes))
      it(`is asked about again where ${what} was changed after it`, async () => {
        const { run, callId } = await approved();
        await change(changed(run));
        assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN');
        await step().pause(run, 1, 2, [callId]);
        const call = (await step().read(run)).calls[0];
        assert.deepEqual([call?.state, call?.askedAgain], ['PROPOSED', 'TOOL_CHANGED']);
      });

    it('goes out where nothing was changed, and again once the change itself was approved', async () => {
      const { run, callId } = await approved();
      await change(inRow(sql`approvers = '["user:lea", "user:bo"]'`)(run));
      assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN');
      await step().pause(run, 1, 2, [callId]);
      await step().vote(run, person('bo'), one(callId, 'APPROVE'));
      assert.equal((await step().claim(run, callId)).kind, 'DISPATCH');
      const plain = await approved();
      assert.equal((await step().claim(plain.run, plain.callId)).kind, 'DISPATCH');
    });

    it('a guarded call whose row says that it needs no approval is not run', async () => {
      const { run, callId } = await approved();
      await change(inRow(sql`approval = 'never', state = 'PROPOSED'`)(run));
      const claim = await step().claim(run, callId);
      assert.match(claim.kind === 'DONE' ? claim.result : claim.kind, /was not run: the policy/);
    });

    it('of the first release counts by the version that it kept', async () => {
      const run = await step().start({ agent: agent({ tools: [guarded] }) });
      const [callId = ''] = await step().asks(run, 1, ['send']);
      const { version: toolVersion } = guarded;
      const hash = hashOfCall({
        orgId: run.orgId,
        runId: run.runId,
        callId,
        tool: 'send',
        toolVersion,
        arguments: '{"x":1}',
      });
      await change(inRow(sql`tool_version = ${toolVersion}, arguments_hash = ${hash}`)(run));
      await step().pause(run, 1, 1, [callId]);
      await step().vote(run, person('lea'), all('APPROVE'));
      assert.equal((await step().claim(run, callId)).kind, 'DISPATCH');
    });
  });
}
