// What every store must keep of the tool and the policy that an approval was given for, on both
// databases.

import assert from 'node:assert/strict';
import { sql, type RawBuilder } from 'kysely';
import { hashOfCall } from '../../src/store/calls/call-hash.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { all, drive, one, person, refusedAs, tool, agent, type Bench } from './fixture.ts';

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

    for (const [what, approvers] of [
      ['anybody', sql`null`],
      ['somebody else', sql`'["user:bo"]'`],
    ] as const)
      it(`is asked about again among those whom the run's snapshot names, where its row was changed to name ${what}`, async () => {
        const { run, callId } = await approved();
        await change(inRow(sql`approvers = ${approvers}, risk = 'high'`)(run));
        assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN');
        await step().pause(run, 1, 2, [callId]);
        const [asked] = (await step().read(run)).calls;
        assert.deepEqual([asked?.approvers, asked?.risk], [['user:lea'], 'normal']);
        await assert.rejects(
          step().vote(run, person('bo'), one(callId, 'APPROVE')),
          refusedAs('FORBIDDEN'),
        );
        await step().vote(run, person('lea'), one(callId, 'APPROVE'));
        assert.equal((await step().claim(run, callId)).kind, 'DISPATCH');
      });

    it('is not opened to anybody where both the row and the snapshot were changed', async () => {
      const { run, callId } = await approved();
      await change(inRow(sql`approvers = null`)(run));
      await change(inSnapshot('{tools,0,description}', '"Does nothing."')(run));
      assert.equal((await step().claim(run, callId)).kind, 'ASK_AGAIN');
      assert.deepEqual((await step().read(run)).calls[0]?.approvers, ['user:lea']);
    });

    it('goes out where nothing was changed; with other code of its tool it is asked about once more, and once', async () => {
      const plain = await approved();
      assert.equal((await step().claim(plain.run, plain.callId)).kind, 'DISPATCH');
      const code = await approved();
      const claim = () => step().claim(code.run, code.callId, 'of the next release');
      assert.equal((await claim()).kind, 'ASK_AGAIN');
      await step().pause(code.run, 1, 2, [code.callId]);
      await step().vote(code.run, person('lea'), one(code.callId, 'APPROVE'));
      assert.equal((await claim()).kind, 'DISPATCH');
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
