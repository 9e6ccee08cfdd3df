import assert from 'node:assert/strict';
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
});
