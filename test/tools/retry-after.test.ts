import assert from 'node:assert/strict';
import { retryAfterMs } from '../../src/egress/retry-after.ts';

describe('Retry-After', () => {
  it('is read in seconds and as a date, and never waited for longer than a minute', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(retryAfterMs('3', now), 3000);
    assert.equal(retryAfterMs(' 1.5 ', now), 1500);
    assert.equal(retryAfterMs('3600', now), 60_000);
    assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:20 GMT', now), 20_000);
    assert.equal(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now), 0, 'a date that is over');
  });

  it('says nothing where there is none that can be read', () => {
    for (const text of [undefined, '', 'soon', '-5 s']) assert.equal(retryAfterMs(text), undefined);
  });
});
