import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { createLogger } from '../../src/logger.ts';

describe('the log', () => {
  it('is one JSON object a line, at its level, with secrets struck out by name, three levels deep', () => {
    const lines: string[] = [];
    const log = createLogger({
      level: 'info',
      name: 'api',
      destination: { write: (line) => void lines.push(line) },
    });
    log.debug('not this one');
    log.info(
      {
        token: 'hush-1',
        req: { headers: { authorization: 'Bearer hush-2', host: 'h' } },
        a: { b: { secret: 'hush-3' } },
      },
      'asked',
    );
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines[0] ?? '');
    assert.deepEqual([line.name, line.msg, line.req.headers.host], ['api', 'asked', 'h']);
    assert.doesNotMatch(lines[0] ?? '', /hush/);
  });

  it('writes out what an error is, under err and error, with its causes and nothing else that hangs on it', () => {
    const lines: string[] = [];
    const log = createLogger({
      level: 'info',
      destination: { write: (line) => void lines.push(line) },
    });
    const refused = Object.assign(new AggregateError([new Error('::1'), new Error('127.0.0.1')]), {
      code: 'ECONNREFUSED',
    });
    const cause = Object.assign(new Error('the row is not storable', { cause: refused }), {
      detail: 'Failing row contains (What is the price of NVDA?).',
    });
    const error = Object.assign(new TypeError('the call failed', { cause }), {
      code: '23505',
      body: 'What is the price of NVDA?',
    });
    const elsewhere: unknown = runInNewContext('new Error("of another realm")');
    log.warn({ err: error, error: refused }, 'one');
    log.warn({ err: elsewhere, error: 'words' }, 'two');
    const [one, two] = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      [one.err.type, one.err.message, one.err.code],
      ['TypeError', 'the call failed: the row is not storable: ', '23505'],
    );
    assert.match(one.err.stack, /TypeError: the call failed[^]*caused by: Error: the row/);
    assert.deepEqual(
      [one.error.code, one.error.aggregateErrors],
      ['ECONNREFUSED', ['::1', '127.0.0.1']],
    );
    assert.deepEqual([two.err.message, two.error], ['of another realm', 'words']);
    assert.doesNotMatch(lines.join(''), /NVDA/);
  });
});
