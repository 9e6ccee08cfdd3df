import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { afterFault, nextModel, type FaultAt } from '../../src/activities/after-fault.ts';
import { ModelError } from '../../src/models/model.ts';
import type { Waiting } from '../../src/store/runs/waiting.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const down = new ModelError('UNAVAILABLE', 'It is down.');
const busy = new ModelError('RATE_LIMITED', 'It is busy.', { retryAfterMs: 20_000 });

const at = (more: Partial<FaultAt> = {}, work: Partial<FaultAt['work']> = {}): FaultAt => ({
  turn: 3,
  name: 'a',
  candidates: ['a'],
  patienceMs: 60_000,
  now: NOW,
  work: { faults: new Map([['a', 2]]), onlyRateLimited: false, waiting: null, ...work },
  ...more,
});
const waiting = (tries: number, sinceMs = NOW): Waiting => ({
  what: 'MODEL',
  since: new Date(sinceMs).toISOString(),
  lastProblem: 'x',
  turn: 3,
  tries,
});
const code = (end: ReturnType<typeof afterFault>): string | null | undefined =>
  end.kind === 'END' && end.failure instanceof ApplicationFailure ? end.failure.type : end.kind;

describe('after a fault of the model', () => {
  it('each model has three attempts before the next is asked, and all have before one is waited for', () => {
    const candidates = ['a', 'b'];
    const first = afterFault(down, at({ candidates }, { faults: new Map() }));
    assert.equal(first.kind, 'AGAIN');
    const other = afterFault(down, at({ candidates }, { faults: new Map([['a', 2]]) }));
    assert.equal(other.kind, 'AGAIN');
    const faults = new Map([
      ['a', 3],
      ['b', 2],
    ]);
    const last = afterFault(down, at({ candidates, name: 'b' }, { faults }));
    assert.ok(last.kind === 'WAIT');
    assert.deepEqual(last.waiting, { ...waiting(0), lastProblem: 'It is down.' });
    assert.equal(last.afterMs, 1000);
  });

  it('replies that break off lead to the next model after three attempts, are not waited for, and end as MODEL_INCOMPLETE', () => {
    const broken = new ModelError('INCOMPLETE', 'It broke off.', { retryable: true });
    const tooShort = new ModelError('INCOMPLETE', 'It ran out of tokens.');
    const candidates = ['a', 'b'];
    const faults = new Map([['a', 3]]);
    assert.equal(afterFault(broken, at({ candidates })).kind, 'AGAIN');
    assert.equal(nextModel(candidates, { faults, waiting: null }), 'b');
    assert.equal(code(afterFault(broken, at())), 'MODEL_INCOMPLETE');
    const both = new Map([...faults, ['b', 2]]);
    const last = at({ candidates, name: 'b' }, { faults: both });
    assert.equal(code(afterFault(broken, last)), 'MODEL_INCOMPLETE');
    assert.equal(code(afterFault(tooShort, at({ candidates }))), 'MODEL_INCOMPLETE');
  });

  it('a model that is away is asked again after a second, doubling to fifteen, later where it says so', () => {
    const pauses = Array.from({ length: 6 }, (_, tries) => {
      const next = afterFault(down, at({}, { waiting: waiting(tries) }));
      return next.kind === 'WAIT' ? next.afterMs : next.kind;
    });
    assert.deepEqual(pauses, [2000, 4000, 8000, 15_000, 15_000, 15_000]);
    const told = afterFault(busy, at({}, { waiting: waiting(0) }));
    assert.ok(told.kind === 'WAIT' && told.afterMs === 20_000);
  });

  it('while it is waited for every model is asked in its turn, and the pause is between two rounds', () => {
    const candidates = ['a', 'b'];
    const faults = new Map([
      ['a', 9],
      ['b', 9],
    ]);
    assert.deepEqual(
      [0, 1, 2].map((tries) => nextModel(candidates, { faults, waiting: waiting(tries) })),
      ['a', 'b', 'a'],
    );
    const within = afterFault(down, at({ candidates }, { waiting: waiting(0) }));
    const between = afterFault(down, at({ candidates }, { waiting: waiting(1) }));
    assert.ok(within.kind === 'WAIT' && within.afterMs < 100);
    assert.ok(between.kind === 'WAIT' && between.afterMs === 2000);
  });

  it('the last attempt is made when its wait is over, and the run ends with it and not before', () => {
    const near = afterFault(down, at({}, { waiting: waiting(5, NOW - 58_000) }));
    assert.ok(near.kind === 'WAIT' && near.afterMs === 2000);
    assert.equal(
      code(afterFault(down, at({}, { waiting: waiting(6, NOW - 60_000) }))),
      'MODEL_UNAVAILABLE',
    );
    assert.equal(code(afterFault(down, at({ patienceMs: 0 }))), 'MODEL_UNAVAILABLE');
  });

  it('it is MODEL_RATE_LIMITED only where nothing but 429 came', () => {
    const over = { waiting: waiting(6, NOW - 60_000) };
    assert.equal(
      code(afterFault(busy, at({}, { ...over, onlyRateLimited: true }))),
      'MODEL_RATE_LIMITED',
    );
    assert.equal(code(afterFault(busy, at({}, over))), 'MODEL_UNAVAILABLE');
  });

  it('what the model refuses ends at once, also while it is waited for; a used-up quota asks the others', () => {
    const refused = new ModelError('REJECTED', 'No.');
    assert.equal(code(afterFault(refused, at({}, { faults: new Map() }))), 'MODEL_REJECTED');
    assert.equal(code(afterFault(refused, at({}, { waiting: waiting(2) }))), 'MODEL_REJECTED');
    const quota = new ModelError('QUOTA_EXHAUSTED', 'Used up.', { retryable: false });
    const others = at({ candidates: ['a', 'b'] }, { faults: new Map([['a', 2]]) });
    assert.equal(code(afterFault(quota, others)), 'AGAIN');
    assert.equal(code(afterFault(quota, at())), 'MODEL_RATE_LIMITED');
    const faults = new Map([['a', 1_000_001]]);
    assert.equal(nextModel(['a', 'b'], { faults, waiting: waiting(2) }), 'b');
  });

  it('what is no absence is asked again three times and not waited for', () => {
    const broken = new ModelError('INCOMPLETE', 'Half.', { retryable: true });
    assert.equal(code(afterFault(broken, at({}, { faults: new Map() }))), 'AGAIN');
    assert.equal(code(afterFault(broken, at())), 'MODEL_INCOMPLETE');
  });
});
