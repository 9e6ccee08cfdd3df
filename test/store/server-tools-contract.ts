// What every store must keep of a call whose tool is another server's: it goes out as what was
// approved, or not at all.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { McpDefinition, ToolSnapshot } from '../../src/contract/agent.ts';
import { definitionHash } from '../../src/mcp/definition.ts';
import { claimCall, type Claim } from '../../src/store/calls/calls.ts';
import type { ToolNow } from '../../src/store/calls/changed-calls.ts';
import { readCallSchema } from '../../src/store/queries/call-schema.ts';
import { mediaOfCalls } from '../../src/store/runs/media.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { agent, all, drive, one, person, tool, type Bench } from './fixture.ts';

const definition: McpDefinition = {
  name: 'send',
  description: 'Sends it.',
  inputSchema: { type: 'object', additionalProperties: true },
};
const server = { url: 'http://127.0.0.1:9/mcp', headers: {} };
const ofServer = (more: Partial<ToolSnapshot> = {}): ToolSnapshot =>
  tool('x_send', {
    ...{ kind: 'mcp', mcp: { server, definition }, version: definitionHash(definition) },
    ...more,
  });

const declares = (now: McpDefinition | null): ToolNow => ({
  version: definitionHash(now),
  definition: now,
});
const same = declares(definition);
const changed = (more: Partial<McpDefinition>): ToolNow => declares({ ...definition, ...more });

export function describeServerTools(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const claim = (run: NewRun, callId: string, looked?: ToolNow | 'UNREACHED'): Promise<Claim> =>
    bench().store.asWorker((tx) =>
      claimCall(tx, {
        ...{ runId: run.runId, callId, attemptId: randomUUID(), versionNow: () => undefined },
        looked,
      }),
    );

  async function asked(more: Partial<ToolSnapshot> = {}): Promise<{ run: NewRun; callId: string }> {
    const run = await step().start({ agent: agent({ tools: [ofServer(more)] }) });
    const [callId = ''] = await step().asks(run, 1, ['x_send']);
    return { run, callId };
  }
  async function approved(): Promise<{ run: NewRun; callId: string }> {
    const { run, callId } = await asked();
    await step().pause(run, 1, 1, [callId]);
    await step().vote(run, person('lea'), all('APPROVE'));
    return { run, callId };
  }

  describe('a call of a server’s tool', () => {
    it('is not claimed before its server was asked what it declares now', async () => {
      const { run, callId } = await approved();
      assert.equal((await claim(run, callId)).kind, 'LOOK');
      assert.equal((await claim(run, callId, same)).kind, 'DISPATCH');
    });

    it('is claimed where the server did not say, for nothing is sent to it then', async () => {
      const { run, callId } = await approved();
      assert.equal((await claim(run, callId, 'UNREACHED')).kind, 'DISPATCH');
    });

    const PULLED: Readonly<Record<string, ToolNow>> = {
      'its description': changed({ description: 'Sends it to everybody.' }),
      'its title': changed({ title: 'Another' }),
      'its schema': changed({ inputSchema: { type: 'object', properties: { to: {} } } }),
      'its output schema': changed({ outputSchema: { type: 'object' } }),
      'an annotation': changed({ annotations: { readOnlyHint: true } }),
      'that it is there': declares(null),
    };
    for (const [what, now] of Object.entries(PULLED))
      it(`is asked about again where its server has changed ${what}; approved anew it goes out as that, and as nothing else`, async () => {
        const { run, callId } = await approved();
        assert.equal((await claim(run, callId, now)).kind, 'ASK_AGAIN');
        assert.equal((await claim(run, callId, now)).kind, 'ASK_AGAIN', 'nobody has decided');
        await step().pause(run, 1, 2, [callId]);
        const [call] = (await step().read(run)).calls;
        assert.deepEqual(
          [call?.state, call?.askedAgain, call?.tool, call?.toolNow],
          ['PROPOSED', 'TOOL_CHANGED', definition, { definition: now.definition }],
        );
        await step().vote(run, person('lea'), one(callId, 'APPROVE'));
        assert.equal((await claim(run, callId, same)).kind, 'ASK_AGAIN', 'it is the old one again');
        await step().pause(run, 1, 3, [callId]);
        await step().vote(run, person('lea'), one(callId, 'APPROVE'));
        assert.equal((await claim(run, callId, now)).kind, 'ASK_AGAIN');
        await step().pause(run, 1, 4, [callId]);
        await step().vote(run, person('lea'), one(callId, 'APPROVE'));
        assert.equal((await claim(run, callId, now)).kind, 'DISPATCH');
      });

    it('that needs no approval is asked about where its tool has changed, and is not repeated then', async () => {
      const { run, callId } = await asked({ readOnly: true, approval: 'never' });
      const now = changed({ description: 'Sends it away.' });
      assert.equal((await claim(run, callId, now)).kind, 'ASK_AGAIN');
      await step().pause(run, 1, 1, [callId]);
      const [call] = (await step().read(run)).calls;
      assert.deepEqual([call?.guarded, call?.askedAgain], [true, 'TOOL_CHANGED']);
      await step().vote(run, person('lea'), one(callId, 'APPROVE'));
      const claimed = await claim(run, callId, now);
      assert.equal(claimed.kind, 'DISPATCH');
      const n = claimed.kind === 'DISPATCH' ? claimed.call.n : 0;
      const end = { kind: 'UNANSWERED', evidence: 'the connection was cut' } as const;
      assert.equal((await step().record(run, callId, n, end)).kind, 'UNKNOWN');
    });

    it('that needs no approval and whose tool has not changed goes out', async () => {
      const { run, callId } = await asked({ readOnly: true, approval: 'never' });
      assert.equal((await claim(run, callId, same)).kind, 'DISPATCH');
    });

    it('is edited by the schema that the server declares now', async () => {
      const { run, callId } = await approved();
      const inputSchema = { type: 'object', properties: { to: { type: 'string' } } };
      await claim(run, callId, changed({ inputSchema }));
      const read = await bench().store.asOrg(run.orgId, (tx) =>
        readCallSchema(tx, run.runId, callId),
      );
      assert.deepEqual(read, inputSchema);
    });

    it('keeps what its result holds beside text, once', async () => {
      const { run, callId } = await approved();
      const claimed = await claim(run, callId, same);
      const n = claimed.kind === 'DISPATCH' ? claimed.call.n : 0;
      const bytes = Buffer.from(randomUUID());
      const end = { kind: 'ANSWERED', result: '[An image]', isError: false } as const;
      const media = [{ type: 'image/png', bytes }];
      await step().record(run, callId, n, { ...end, media });
      await step().record(run, callId, n, { ...end, media });
      const kept = await bench().store.asWorker((tx) => mediaOfCalls(tx, run.runId));
      assert.deepEqual(
        kept.map(({ type, size }) => [type, size]),
        [['image/png', bytes.length]],
      );
    });
  });
}
