import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { annotated } from '../../src/activities/annotated-reply.ts';
import { deliverable } from '../../src/activities/deliverable.ts';
import type { StoredCall } from '../../src/store/turns/replies.ts';
import { agent } from '../store/fixture.ts';

describe('what goes back to Temporal', () => {
  it('ends the run with a code where it is more than Temporal takes, and is not tried again', async () => {
    const made = (chars: number) => deliverable(async () => ({ text: 'x'.repeat(chars) }))({});
    assert.equal((await made(1_000_000)).text.length, 1_000_000);
    await assert.rejects(
      made(2_000_000),
      (error) =>
        error instanceof ApplicationFailure &&
        error.type === 'OUTPUT_TOO_LARGE' &&
        error.nonRetryable === true,
    );
  });

  it('stays under half a MiB for a turn of a thousand calls, whatever is in them', () => {
    for (const text of ['x', '\u0001', '\u{1f469}', '\u202e', '"'].map((c) => c.repeat(300))) {
      const calls = Array.from({ length: 1000 }, (_, idx): StoredCall => ({
        callId: `call_${String(idx).padStart(24, '0')}`,
        idx,
        name: text.slice(0, 200),
        toolVersion: '',
        arguments: JSON.stringify({ a: text }),
        argumentsHash: '0'.repeat(64),
        approval: 'never',
        risk: 'normal',
        retry: 'never',
        approvers: null,
        refusal: 'no',
      }));
      const shared = { text: '', reasoning: '', model: 'm', finishReason: 'tool_calls' } as const;
      const reply = annotated({ kind: 'CALLS', ...shared, calls }, agent());
      assert.ok(Buffer.byteLength(JSON.stringify(reply)) < 512 * 1024);
    }
  });
});
