import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { welcomeText } from '../../src/dev/welcome.ts';
import { bodyOf, serve } from '../rig/http-server.ts';

describe('the welcome', () => {
  it('has lines that run as they are pasted: ask, pause, approve, read', async () => {
    const asked: string[] = [];
    const server = await serve(async (request, response) => {
      asked.push(
        `${request.method} ${request.url} ${request.headers.authorization} ${await bodyOf(request)}`,
      );
      response.end('{"runId":"run_01","sessionId":"s","pauseId":"pause_01","input":"x"}');
    });
    try {
      const text = welcomeText({
        apiUrl: `http://127.0.0.1:${server.port}`,
        consoleUrl: 'http://127.0.0.1:1/#code=x',
        uiUrl: 'http://127.0.0.1:8233',
        temporalAddress: '127.0.0.1:7233',
        token: 'eyJ.t',
        agents: ['finance_agent', 'refund_agent'],
      });
      const pasted = text.slice(text.indexOf('API='));
      const { stdout } = await promisify(execFile)('/bin/sh', ['-c', pasted]);
      assert.deepEqual(
        asked.map((line) => line.split(' ').slice(0, 2).join(' ')),
        [
          'POST /api/agents/finance_agent/runs',
          'POST /api/agents/finance_agent/runs',
          'POST /api/agents/finance_agent/runs/run_01/continue',
          'GET /api/agents/finance_agent/runs/run_01',
          'POST /api/agents/refund_agent/runs',
          'POST /api/agents/refund_agent/runs',
        ],
      );
      assert.ok(asked.every((line) => line.includes('Bearer eyJ.t')));
      assert.deepEqual(JSON.parse(asked[2]?.split('eyJ.t ')[1] ?? ''), {
        action: 'APPROVE',
        pauseId: 'pause_01',
      });
      assert.ok(
        stdout.includes('"sessionId":"s","pauseId":"pause_01","input":"x"}\n'),
        'it is shown',
      );
      assert.match(stdout, /http:\/\/127\.0\.0\.1:8233\/namespaces\/default\/workflows\/run_01/);
    } finally {
      await server.close();
    }
  });

  it('fits a screen of 100 columns, but for the token', () => {
    const text = welcomeText({
      apiUrl: 'http://127.0.0.1:8080',
      consoleUrl: 'http://127.0.0.1:1/#code=x',
      uiUrl: 'http://127.0.0.1:8233',
      token: 'eyJ.t',
      agents: ['finance_agent', 'database_admin', 'refund_agent'],
    });
    assert.deepEqual(
      text.split('\n').filter((line) => line.length > 100),
      [],
    );
    assert.ok(text.split('\n').length <= 46);
  });

  it('says less where it knows less: no Web UI, no token of ours, other agents', () => {
    const text = welcomeText({
      apiUrl: 'http://127.0.0.1:8080',
      consoleUrl: 'http://127.0.0.1:1/#code=x',
      uiUrl: null,
      token: null,
      agents: ['other'],
    });
    assert.match(text, /agents\/other\/runs/);
    assert.doesNotMatch(text, /Web UI|finance_agent|null|undefined/);
  });
});
