import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { newOrg, startApiRig, token } from './api-rig.ts';
import { fuzz } from './fuzz.ts';

describe('requests made from the OpenAPI document', () => {
  it('are answered as documented, below 500 and within 5 s', async function () {
    this.timeout(180_000);
    const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));
    const requests = Number(process.env['FUZZ_REQUESTS'] ?? 500);
    const api = await startApiRig({ syncWaitMaxMs: 1000 });
    try {
      const claims = {
        org: newOrg(),
        scope: 'runs:write runs:read runs:cancel runs:approve runs:impersonate admin',
      };
      const ada = api.as('ada', claims);
      const runs = [
        (await ada.run('guard', 'answer')).json,
        (await ada.run('guard', 'pause')).json,
      ];
      const { findings, byStatus } = await fuzz({
        ...{ url: api.url, token: await token('ada', claims), seed, requests },
        known: {
          agentId: ['guard', 'other'],
          runId: runs.map((run) => run.runId),
          sessionId: runs.map((run) => run.sessionId),
          userId: ['ada'],
          message: ['answer', 'pause', 'stay'],
          callId: [runs[1].pending[0].callId],
        },
      });
      console.log(
        `      FUZZ_SEED=${seed}: ${[...byStatus]
          .toSorted()
          .map(([status, n]) => `${status} ${n}`)
          .join(', ')}`,
      );
      assert.deepEqual(findings, [], `FUZZ_SEED=${seed}`);
    } finally {
      await api.close();
    }
  });
});
