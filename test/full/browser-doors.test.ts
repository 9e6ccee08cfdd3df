// Pages in a real browser against everything that `npm start` listens on: a page of another origin,
// and one whose own name was pointed at the loopback after it was loaded. Each is first shown to
// succeed against a bare development server, so that its failing here says something.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { createTemporalCli, isServing, type TemporalCli } from '../../src/dev/temporal-cli.ts';
import { developmentSecret } from '../../src/main/development-secret.ts';
import { makeToken } from '../../src/dev/make-token.ts';
import { callerOf, type Caller } from '../e2e/stage.ts';
import { atExit } from '../rig/at-exit.ts';
import { startChromium } from '../rig/chromium.ts';
import { freePort } from '../rig/free-port.ts';
import { serve, type LoopbackServer } from '../rig/http-server.ts';
import { listenersOf, needsProc, processTree, type Listener } from '../rig/listeners.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';

const REBOUND = 'rebound.test';
const WORD = 'zebra-umbrella';
const READS = [
  '/',
  '/metrics',
  '/api/v1/namespaces',
  '/api/v1/namespaces/default/workflows',
  '/namespaces/default/workflows',
  '/api/agents',
  '/api/runs',
  '/api/approvals',
  '/v1/_requests',
  '/__aimock/journal',
];

interface Heard {
  readonly path: string;
  /** 0: the page could not read it. */
  readonly status: number;
  readonly text: string;
}

/** Runs in the page: everything is read that can be, and every way to signal is tried blindly. */
async function attack(asked: {
  origin: string;
  reads: readonly string[];
  runId: string;
}): Promise<Heard[]> {
  const heard: Heard[] = [];
  for (const path of asked.reads) {
    try {
      const answer = await fetch(asked.origin + path, { signal: AbortSignal.timeout(4000) });
      heard.push({ path, status: answer.status, text: await answer.text() });
    } catch {
      heard.push({ path, status: 0, text: '' });
    }
  }
  const execution = `/api/v1/namespaces/default/workflows/${asked.runId}`;
  const signal = { signalName: 'approve', input: [] };
  const bodies: readonly (readonly [string, object])[] = [
    [`${execution}/signal/approve`, signal],
    [`${execution}/terminate`, { reason: 'because' }],
    [
      '/api/v1/namespaces/default/batch-operations/x',
      {
        jobId: 'x',
        reason: 'because',
        visibilityQuery: 'WorkflowType="agentRun"',
        signalOperation: { signal: 'approve', identity: 'page' },
      },
    ],
    [
      '/__aimock/fixtures',
      { fixtures: [{ match: { userMessage: '.*' }, response: { content: 'planted' } }] },
    ],
  ];
  for (const [path, body] of bodies)
    for (const type of ['text/plain', 'application/json'])
      await fetch(asked.origin + path, {
        method: 'POST',
        mode: type === 'text/plain' ? 'no-cors' : 'cors',
        headers: { 'Content-Type': type },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(4000),
      }).catch(() => undefined);
  return heard;
}

describe('a page in a browser', function () {
  this.timeout(300_000);
  let browser: Browser;
  let elsewhere: LoopbackServer;

  before(async function () {
    needsProc(this);
    browser = await startChromium(this, { [REBOUND]: '127.0.0.1' });
    elsewhere = await serve(async (_, response) => {
      response.setHeader('Content-Type', 'text/html').end('<title>a page</title>');
    });
  });
  after(async () => {
    await browser?.close();
    await elsewhere?.close();
  });

  /** From a page of another origin. */
  async function fromElsewhere(host: string, port: number, runId: string): Promise<Heard[]> {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${elsewhere.port}/`);
    const asked = { origin: `http://${host}:${port}`, reads: READS, runId };
    const heard = await page.evaluate(attack, asked);
    await page.close();
    return heard;
  }

  /** From a page that was loaded under a name which then leads to the loopback. */
  async function byRebinding(port: number, runId: string): Promise<Heard[]> {
    const page = await browser.newPage();
    const origin = `http://${REBOUND}:${port}`;
    await page.route(`${origin}/loaded-before`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<title>a page</title>' }),
    );
    await page.goto(`${origin}/loaded-before`);
    const heard = await page.evaluate(attack, { origin, reads: READS, runId });
    await page.close();
    return heard;
  }

  describe('against a bare development server', () => {
    let cli: TemporalCli;
    let httpPort = 0;
    let uiPort = 0;

    before(async () => {
      const path = await temporalCliPath();
      const port = await freePort();
      [httpPort, uiPort] = [await freePort(), await freePort()];
      const ports = ['--port', port, '--ui-port', uiPort, '--http-port', httpPort];
      const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'error'];
      const child = spawn(path, [...args, ...ports.map(String)], { stdio: 'ignore' });
      atExit(() => child.kill('SIGKILL'));
      cli = createTemporalCli(path, `127.0.0.1:${port}`);
      await until('the bare server', () => isServing(cli), 40_000, 200);
      for (const id of ['one', 'two'])
        await cli(['workflow', 'start', '--type', 'x', '--task-queue', 'x', '-w', id]);
    });
    const signalled = async (id: string): Promise<boolean> =>
      /SIGNALED|TERMINATED/i.test(await cli(['workflow', 'show', '-w', id, '-o', 'json']));

    it('of another origin signals a run', async () => {
      await fromElsewhere('127.0.0.1', httpPort, 'one');
      await until('the signal', () => signalled('one'));
    });

    it('reads through the Web UI by rebinding', async () => {
      const seen = await byRebinding(uiPort, 'two');
      assert.ok(seen.some(({ text }) => text.includes('namespaceInfo')));
    });
  });

  describe('against `npm start`', () => {
    const dataDir = tempDir();
    let product: ProductProcess;
    let ada: Caller;
    let runId = '';
    let listeners: readonly Listener[] = [];

    before(async () => {
      const env = { DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() };
      product = await startProduct({ role: 'start', env });
      const token = await makeToken({
        secret: developmentSecret(dataDir),
        config: { orgClaim: 'org_id', rolesClaim: 'roles', maxTokenAgeS: 86_400 },
        user: 'ada',
        org: 'acme',
        roles: [],
        scope: 'runs:write runs:read runs:cancel runs:approve',
        lifeS: 3600,
      });
      ada = callerOf(product.url, token);
      const { run } = await ada.ask(`Send an e-mail to ada@example.com about ${WORD}.`, {
        agent: 'finance_agent',
      });
      assert.equal(run.status, 'PAUSED', JSON.stringify(run));
      runId = run.runId;
      listeners = listenersOf([...processTree(product.pid() ?? 0), childPid()]).filter(
        ({ protocol }) => protocol === 'tcp',
      );
      assert.ok(listeners.length >= 5, `${listeners.length} listeners`);
    });
    after(() => product?.stop());

    const childPid = (): number =>
      (JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')) as { pid: number })
        .pid;

    function assertNothingHeard(from: string, heard: readonly Heard[]): void {
      for (const { path, status, text } of heard) {
        const what = `${from}${path}: ${status} ${text.slice(0, 200)}`;
        assert.ok(!text.includes(runId) && !text.includes(WORD), what);
        assert.ok(!/namespaceInfo|"executions"|planted/.test(text), what);
        // The child's own metrics cannot be left out: counts by operation, of no run.
        if (path === '/metrics') assert.ok(!/run_|workflow_?id/i.test(text), what);
      }
    }
    async function assertNothingDone(): Promise<void> {
      const { run } = await ada.read({ runId, agentId: 'finance_agent' });
      assert.equal(run.status, 'PAUSED');
      assert.equal(run.pending?.[0]?.votes.length, 0);
      const { run: next } = await ada.ask('What is the stock price of NVDA?', {
        agent: 'finance_agent',
      });
      assert.doesNotMatch(next.content, /planted/);
    }

    it('of another origin reads and signals nothing, on every port there is', async () => {
      // Also at the address that no page can know.
      for (const { host, port } of listeners)
        assertNothingHeard(`${host}:${port}`, await fromElsewhere(host, port, runId));
      await assertNothingDone();
    });

    it('reads and signals nothing by rebinding, on every port of the loopback', async () => {
      for (const { port } of listeners)
        assertNothingHeard(`${REBOUND}:${port}`, await byRebinding(port, runId));
      await assertNothingDone();
    });

    it('of the Web UI itself works: it is read under its own address', async () => {
      const record = readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8');
      const { uiPort } = JSON.parse(record) as { uiPort: number };
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${uiPort}/namespaces/default/workflows/${runId}`);
      await page.getByText('agentRun').first().waitFor();
      await page.close();
    });
  });
});
