import assert from 'node:assert/strict';
import type {
  AgentRunInput,
  AnnotatedCall,
  CallOutcome,
  PauseKind,
} from '../../src/contract/turn.ts';
import {
  agentLoop,
  type Ended,
  type LoopPorts,
  type ModelAnswer,
} from '../../src/workflows/agent-loop.ts';

const input = (limits: Partial<AgentRunInput['limits']> = {}): AgentRunInput => ({
  runId: 'run_1',
  orgId: 'acme',
  agentId: 'a',
  sessionId: 's',
  model: 'm',
  limits: {
    maxTurns: 25,
    maxToolCalls: 50,
    maxRepeats: 3,
    maxTotalTokens: 1000,
    historyTokens: 1000,
    timeoutMs: 1000,
    ...limits,
  },
  approvals: { expiresAfterMs: null, quorum: 1, fourEyes: false },
});

const call = (callId: string, more: Partial<AnnotatedCall> = {}): AnnotatedCall => ({
  callId,
  tool: 't',
  label: `t ${callId}`,
  approval: 'never',
  risk: 'normal',
  retry: 'idempotent',
  quick: false,
  fingerprint: callId,
  ...more,
});
const guarded = (callId: string, more: Partial<AnnotatedCall> = {}): AnnotatedCall =>
  call(callId, { approval: 'required', ...more });
const calls = (...list: AnnotatedCall[]): ModelAnswer => ({
  kind: 'CALLS',
  model: 'm',
  calls: list,
});
const answer: ModelAnswer = { kind: 'ANSWER', model: 'm' };
const done = (digest: string): CallOutcome => ({ kind: 'DONE', resultDigest: digest });

interface Script {
  readonly turns: readonly ModelAnswer[];
  readonly outcomes?: Record<string, readonly CallOutcome[]>;
  readonly decide?: (
    kind: PauseKind,
    ids: readonly string[],
    n: number,
  ) => readonly string[] | Ended;
}

/** Ports that follow a script and keep a log of what was asked of them, in order. */
function scripted(script: Script): { ports: LoopPorts; log: string[] } {
  const log: string[] = [];
  const left = new Map(Object.entries(script.outcomes ?? {}).map(([id, list]) => [id, [...list]]));
  return {
    log,
    ports: {
      callModel: async (turn) => {
        log.push(`model ${turn}`);
        return script.turns[Math.min(turn, script.turns.length) - 1] ?? answer;
      },
      asksAboutChanged: () => true,
      suggestFollowUps: async (turn) => {
        log.push(`follow-ups ${turn}`);
      },
      runTool: async (_turn, { callId }) => {
        log.push(`tool ${callId}`);
        return left.get(callId)?.shift() ?? done(`result of ${callId}`);
      },
      ask: async (_turn, n, kind, ids) => {
        log.push(`ask ${n} ${kind} ${ids.join(',')}`);
        const decided = script.decide?.(kind, ids, n) ?? ids;
        return 'kind' in decided ? decided : { kind: 'DECIDED', approved: decided };
      },
    },
  };
}

describe('the loop', () => {
  it('ends with the first answer', async () => {
    const { ports, log } = scripted({ turns: [answer] });
    assert.deepEqual(await agentLoop(input(), ports), { kind: 'COMPLETED', turn: 1 });
    assert.deepEqual(log, ['model 1']);
  });

  it('asks for follow-ups once, after the answer, and only where they are wanted', async () => {
    const { ports, log } = scripted({ turns: [calls(call('a')), answer] });
    assert.deepEqual(await agentLoop({ ...input(), followUps: true }, ports), {
      kind: 'COMPLETED',
      turn: 2,
    });
    assert.deepEqual(log, ['model 1', 'tool a', 'model 2', 'follow-ups 2']);
  });

  it('runs unguarded calls before it asks about the guarded ones, and those only when they are approved', async () => {
    const { ports, log } = scripted({
      turns: [calls(guarded('g1'), call('u'), guarded('g2')), answer],
      decide: () => ['g2'],
    });
    assert.deepEqual(await agentLoop(input(), ports), { kind: 'COMPLETED', turn: 2 });
    assert.deepEqual(log, ['model 1', 'tool u', 'ask 1 APPROVAL g1,g2', 'tool g2', 'model 2']);
  });

  it('dispatches nothing of a pause in which everything was rejected', async () => {
    const { ports, log } = scripted({ turns: [calls(guarded('g')), answer], decide: () => [] });
    await agentLoop(input(), ports);
    assert.deepEqual(log, ['model 1', 'ask 1 APPROVAL g', 'model 2']);
  });

  it('asks again, in a pause of its own, about a call that is no longer what was approved', async () => {
    const { ports, log } = scripted({
      turns: [calls(guarded('g')), answer],
      outcomes: { g: [{ kind: 'ASK_AGAIN' }, done('x')] },
    });
    await agentLoop(input(), ports);
    assert.deepEqual(log, [
      'model 1',
      'ask 1 APPROVAL g',
      'tool g',
      'ask 2 APPROVAL g',
      'tool g',
      'model 2',
    ]);
  });

  it('asks about an unguarded call whose tool has changed, together with the guarded ones', async () => {
    const { ports, log } = scripted({
      turns: [calls(call('u'), guarded('g'), call('v')), answer],
      outcomes: { u: [{ kind: 'ASK_AGAIN' }, done('x')] },
    });
    await agentLoop(input(), ports);
    assert.deepEqual(log, [
      'model 1',
      'tool u',
      'tool v',
      'ask 1 APPROVAL u,g',
      'tool u',
      'tool g',
      'model 2',
    ]);
  });

  it('that began before such calls were asked about goes on as it did', async () => {
    const { ports, log } = scripted({
      turns: [calls(call('u'), guarded('g')), answer],
      outcomes: { u: [{ kind: 'ASK_AGAIN' }] },
    });
    await agentLoop(input(), { ...ports, asksAboutChanged: () => false });
    assert.deepEqual(log, ['model 1', 'tool u', 'ask 1 APPROVAL g', 'tool g', 'model 2']);
  });

  describe('that takes up where an earlier execution came to', () => {
    const from = { execution: 2, fromTurn: 2, pauses: 1, toolCalls: 1, rejections: {} };

    it('dispatches every call of that turn, asks about what the store says is to be asked, and numbers its pauses on', async () => {
      const { ports, log } = scripted({
        turns: [calls(call('a')), calls(guarded('done'), guarded('g'), call('u')), answer],
        outcomes: { g: [{ kind: 'ASK_AGAIN' }], u: [{ kind: 'UNKNOWN' }] },
      });
      assert.deepEqual(await agentLoop({ ...input(), takenUp: from }, ports), {
        kind: 'COMPLETED',
        turn: 3,
      });
      assert.deepEqual(log, [
        ...['model 2', 'tool done', 'tool g', 'tool u', 'ask 2 APPROVAL g', 'tool g'],
        ...['ask 3 OUTCOME_UNKNOWN u', 'tool u', 'model 3'],
      ]);
    });

    it('counts the calls and rejections that were there before', async () => {
      const turns = [calls(call('a')), calls(guarded('g')), answer];
      const { ports, log } = scripted({ turns });
      const end = await agentLoop({ ...input({ maxToolCalls: 1 }), takenUp: from }, ports);
      assert.equal(end.kind === 'FAILED' && end.failure.code, 'BUDGET_EXCEEDED');
      assert.deepEqual(log, ['model 2']);
      const insistent = scripted({
        turns,
        outcomes: { g: [{ kind: 'ASK_AGAIN' }] },
        decide: () => [],
      });
      const limited = {
        ...input({ maxRejections: 1 }),
        takenUp: { ...from, rejections: { t: 1 } },
      };
      const ended = await agentLoop(limited, insistent.ports);
      assert.equal(ended.kind === 'FAILED' && ended.failure.code, 'BUDGET_EXCEEDED');
    });
  });

  it("asks about an unguarded call's unknown outcome after the turn's approvals", async () => {
    const { ports, log } = scripted({
      turns: [calls(call('u'), guarded('g')), answer],
      outcomes: { u: [{ kind: 'UNKNOWN' }, done('second time')] },
    });
    await agentLoop(input(), ports);
    assert.deepEqual(log, [
      'model 1',
      'tool u',
      'ask 1 APPROVAL g',
      'tool g',
      'ask 2 OUTCOME_UNKNOWN u',
      'tool u',
      'model 2',
    ]);
  });

  it('leaves a call of unknown outcome alone when nobody wants it again', async () => {
    const { ports, log } = scripted({
      turns: [calls(call('u')), answer],
      outcomes: { u: [{ kind: 'UNKNOWN' }] },
      decide: () => [],
    });
    await agentLoop(input(), ports);
    assert.deepEqual(log, ['model 1', 'tool u', 'ask 1 OUTCOME_UNKNOWN u', 'model 2']);
  });

  it('asks about each unknown outcome anew, however often it happens', async () => {
    const { ports, log } = scripted({
      turns: [calls(guarded('g')), answer],
      outcomes: { g: [{ kind: 'UNKNOWN' }, { kind: 'UNKNOWN' }, done('at last')] },
    });
    await agentLoop(input(), ports);
    assert.deepEqual(log, [
      'model 1',
      'ask 1 APPROVAL g',
      'tool g',
      'ask 2 OUTCOME_UNKNOWN g',
      'tool g',
      'ask 3 OUTCOME_UNKNOWN g',
      'tool g',
      'model 2',
    ]);
  });

  it('ends a run in which more calls of one tool were rejected than limits.maxRejections, each tool counted by itself', async () => {
    const script = (tools: readonly string[]): Script => ({
      turns: [...tools.map((tool, i) => calls(guarded(`g${i}`, { tool }))), answer],
      decide: () => [],
    });
    const limits = { maxRejections: 2 };
    const two = await agentLoop(input(limits), scripted(script(['a', 'b', 'a', 'b'])).ports);
    assert.equal(two.kind, 'COMPLETED');
    const { ports, log } = scripted(script(['a', 'a', 'b', 'a']));
    const end = await agentLoop(input(limits), ports);
    assert.ok(end.kind === 'FAILED' && end.failure.code === 'BUDGET_EXCEEDED');
    assert.match(end.failure.message, /limits\.maxRejections is 2/);
    assert.equal(log.at(-1), 'ask 1 APPROVAL g3');
    const free = await agentLoop(input(), scripted(script(['a', 'a', 'a', 'a'])).ports);
    assert.equal(free.kind, 'COMPLETED', 'a run of the first release has no such limit');
  });

  it('counts no unknown outcome that was left as a rejection', async () => {
    const script: Script = {
      turns: [calls(call('a'), call('b')), answer],
      outcomes: { a: [{ kind: 'UNKNOWN' }], b: [{ kind: 'UNKNOWN' }] },
      decide: () => [],
    };
    const end = await agentLoop(input({ maxRejections: 1 }), scripted(script).ports);
    assert.equal(end.kind, 'COMPLETED');
  });

  it('counts no call that its user took back as a rejection', async () => {
    const script: Script = {
      turns: [calls(guarded('a')), calls(guarded('b')), answer],
      decide: () => [],
    };
    const { ports } = scripted(script);
    const end = await agentLoop(input({ maxRejections: 1 }), {
      ...ports,
      ask: async (_turn, _n, _kind, callIds) => ({
        ...{ kind: 'DECIDED', approved: [], withdrawn: callIds },
      }),
    });
    assert.equal(end.kind, 'COMPLETED');
  });

  it('never dispatches a call that was answered with a tool error', async () => {
    const { ports, log } = scripted({
      turns: [calls(guarded('bad', { refused: { resultDigest: 'd' } })), answer],
    });
    await agentLoop(input(), ports);
    assert.deepEqual(log, ['model 1', 'model 2']);
  });

  it('stops before the model call that maxTurns forbids', async () => {
    const { ports, log } = scripted({
      turns: [calls(call('a')), calls(call('b')), calls(call('c'))],
    });
    const end = await agentLoop(input({ maxTurns: 2 }), ports);
    assert.equal(end.kind === 'FAILED' && end.failure.code, 'BUDGET_EXCEEDED');
    assert.deepEqual(log, ['model 1', 'tool a', 'model 2', 'tool b']);
  });

  it('runs no call of a turn that would exceed maxToolCalls', async () => {
    const { ports, log } = scripted({ turns: [calls(call('a')), calls(call('b'), call('c'))] });
    const end = await agentLoop(input({ maxToolCalls: 2 }), ports);
    assert.equal(end.kind === 'FAILED' && end.failure.code, 'BUDGET_EXCEEDED');
    assert.deepEqual(log, ['model 1', 'tool a', 'model 2']);
  });

  it('stops after maxRepeats identical calls in a row with identical results', async () => {
    const same = calls(call('a', { fingerprint: 'same' }));
    const { ports, log } = scripted({ turns: [same, same, same, same] });
    const end = await agentLoop(input(), ports);
    assert.equal(end.kind === 'FAILED' && end.failure.code, 'BUDGET_EXCEEDED');
    assert.equal(log.filter((line) => line.startsWith('tool')).length, 3);
  });

  it('does not take two calls in turns, or one call with other results, for a loop', async () => {
    const turns = [1, 2, 3, 4, 5, 6].map((i) =>
      calls(call(`c${i}`, { fingerprint: String(i % 2) })),
    );
    assert.equal(
      (await agentLoop(input(), scripted({ turns: [...turns, answer] }).ports)).kind,
      'COMPLETED',
    );
    const polls = [1, 2, 3, 4].map((i) => calls(call(`p${i}`, { fingerprint: 'poll' })));
    assert.equal(
      (await agentLoop(input(), scripted({ turns: [...polls, answer] }).ports)).kind,
      'COMPLETED',
    );
  });

  it('ends at once when the record says that the run has ended', async () => {
    const ended: Ended = { kind: 'ENDED', status: 'CANCELLED' };
    for (const script of [
      { turns: [ended] },
      { turns: [calls(call('u'))], outcomes: { u: [ended] } },
      { turns: [calls(guarded('g'))], decide: () => ended },
    ] satisfies Script[])
      assert.deepEqual(await agentLoop(input(), scripted(script).ports), ended);
  });
});
