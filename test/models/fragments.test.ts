import assert from 'node:assert/strict';
import { createReplyCollector } from '../../src/models/openai/collector.ts';
import { createCallCollector } from '../../src/models/openai/fragments.ts';

type Fragment = readonly [
  index: number | undefined,
  id: string | undefined,
  name: string | undefined,
  text: string,
];
const fragment = ([index, id, name, text]: Fragment): object => ({
  index,
  id,
  function: { name, arguments: text },
});
const put = (...fragments: readonly Fragment[]) => {
  const collector = createCallCollector();
  for (const each of fragments) collector.take(fragment(each));
  return collector.calls()?.map((call) => [call.id, call.name, call.argumentsText]);
};
const none = undefined;

describe('models: fragments of tool calls', () => {
  it('without id and name go on with the call at their index, or the last one where there is none', () => {
    assert.deepEqual(put([0, 'a', 'f', ''], [1, none, none, '{"x":'], [2, none, none, '1}']), [
      ['a', 'f', '{"x":1}'],
    ]);
    assert.deepEqual(
      put([0, 'a', 'f', ''], [1, 'b', 'g', ''], [0, none, none, '{}'], [1, none, none, '{"y":1}']),
      [
        ['a', 'f', '{}'],
        ['b', 'g', '{"y":1}'],
      ],
    );
    // A gateway numbers the head of the second call as the first, and its rest as the second.
    assert.deepEqual(put([0, 'a', 'f', '{"x":1}'], [0, 'b', 'g', ''], [1, none, none, '{"y":1}']), [
      ['a', 'f', '{"x":1}'],
      ['b', 'g', '{"y":1}'],
    ]);
  });

  it('of several calls at one index are distinguished by an id that is known', () => {
    assert.deepEqual(
      put(
        [0, 'a', 'f', '{"x"'],
        [0, 'b', 'g', '{"y"'],
        [0, 'a', none, ':1}'],
        [0, 'b', 'g', ':2}'],
      ),
      [
        ['a', 'f', '{"x":1}'],
        ['b', 'g', '{"y":2}'],
      ],
    );
  });

  it('with another id each and no name are of the call at their index', () => {
    assert.deepEqual(put([0, 'a', 'f', '{"x"'], [0, 'b', none, ':1'], [0, 'c', none, '}']), [
      ['a', 'f', '{"x":1}'],
    ]);
  });

  it('that repeat a whole call at its index, with its id and arguments, are no other call', () => {
    assert.deepEqual(
      put(
        [0, 'a', 'f', '{"x"'],
        [0, none, none, ':1}'],
        [1, 'b', 'g', '{}'],
        [0, 'a', 'f', '{"x":1}'],
        [0, 'a', 'f', '{ "x": 1 }'],
        [1, 'b', 'g', '{}'],
      ),
      [
        ['a', 'f', '{"x":1}'],
        ['b', 'g', '{}'],
      ],
    );
    // Other arguments under one id, or the same ones at another index, are another call.
    assert.equal(put([0, 'a', 'f', '{"x":1}'], [0, 'a', 'f', '{"x":2}'])?.length, 2);
    assert.equal(put([0, 'a', 'f', '{}'], [1, 'a', 'f', '{}'])?.length, 2);
  });

  it('that belong to no call make no reply, and those of nothing make no call', () => {
    assert.equal(put([0, 'a', 'f', ''], [1, 'zz', none, '{"x":1}']), undefined);
    assert.equal(put([0, none, none, '{"x":1}']), undefined);
    assert.deepEqual(put([0, 'a', 'f', '{}'], [1, 'b', none, '']), [['a', 'f', '{}']]);
  });

  it('cost what they hold: many take no more time each than few', () => {
    const msFor = (n: number): number => {
      const collector = createReplyCollector(() => undefined);
      const started = process.cpuUsage().user;
      const chunk = (text: string): object => ({
        choices: [{ delta: { tool_calls: [fragment([0, 'a', 'f', text])] } }],
      });
      collector.take(chunk('{"x":"'));
      for (let i = 0; i < n; i++) collector.take(chunk('}'));
      collector.take(chunk('"}'));
      collector.take({ choices: [{ delta: {}, finish_reason: 'tool_calls' }] });
      assert.equal(collector.reply('m').toolCalls[0]?.argumentsText.length, n + 8);
      return (process.cpuUsage().user - started) / 1000;
    };
    // 5 s for 40,000 where each fragment looked at all before it; half a second for 200,000 here.
    assert.ok(msFor(200_000) < 20_000);
  });
});
