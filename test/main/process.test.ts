import assert from 'node:assert/strict';
import { openProcess, type Process } from '../../src/main/process.ts';
import type { Config } from '../../src/config.ts';

const CONFIG = { logLevel: 'silent', traces: null } as unknown as Config;

interface Later<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}
function later<T>(): Later<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

describe('a process', () => {
  const run = (
    use: (process: Process) => Promise<void>,
    stopping = new AbortController(),
  ): Promise<void> => openProcess('test', CONFIG, stopping.signal, use);

  it('closes what it opened in reverse, also when a later step throws or a close fails', async () => {
    const closed: string[] = [];
    const running = run(async ({ open, onClose }) => {
      await open(Promise.resolve('store'), (name) => closed.push(name));
      onClose(() => {
        closed.push('broken');
        throw new Error('cannot be closed');
      });
      await open(Promise.resolve('outbox'), async (name) => closed.push(name));
      throw new Error('a later step');
    });
    await assert.rejects(running, /a later step/);
    assert.deepEqual(closed, ['outbox', 'broken', 'store']);
  });

  it('is interrupted while something opens, and closes it when it has opened after all', async () => {
    const stopping = new AbortController();
    const opening = later<string>();
    const closed: string[] = [];
    const reason = new Error('told to stop');
    const running = run(async ({ open }) => {
      setImmediate(() => {
        stopping.abort(reason);
        setImmediate(() => opening.resolve('late'));
      });
      await open(opening.promise, (name) => closed.push(name));
      assert.fail('went on');
    }, stopping);
    await assert.rejects(running, reason);
    assert.deepEqual(closed, ['late']);
  });

  it('does not wait for what never opens', async () => {
    const stopping = new AbortController();
    const running = run(async ({ open }) => {
      setImmediate(() => stopping.abort(new Error('told to stop')));
      await open(later<string>().promise, () => assert.fail('closed'), 20);
    }, stopping);
    await assert.rejects(running, /told to stop/);
  });

  it('opens nothing when it was asked to stop before', async () => {
    const stopping = new AbortController();
    stopping.abort(new Error('told to stop'));
    await assert.rejects(
      run(async () => assert.fail('began'), stopping),
      /told to stop/,
    );
  });

  it('notices a stop signal that came before it waits for one', async () => {
    const stopping = new AbortController();
    await run(async ({ untilStopped }) => {
      stopping.abort();
      await untilStopped();
    }, stopping);
  });
});
