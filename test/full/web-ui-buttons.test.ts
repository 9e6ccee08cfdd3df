// What each of the buttons of Temporal's Web UI does to a run, pressed in a browser: the rows of the
// table in docs/operations.md. Pause and Unpause are web-ui.test.ts's.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { createTemporalCli, type TemporalCli } from '../../src/dev/temporal-cli.ts';
import { callerOf, openStage, plan, tokenOf, type Caller, type Stage } from '../e2e/stage.ts';
import { startChromium } from '../rig/chromium.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';

const WITHIN_MS = 60_000;

describe("the buttons of Temporal's Web UI", function () {
  this.timeout(300_000);
  let browser: Browser;
  let stage: Stage;
  let product: ProductProcess;
  let ada: Caller;
  let page: Page;
  let address = '';
  let cli: TemporalCli;
  before(async function () {
    browser = await startChromium(this);
    stage = await openStage();
    const dataDir = tempDir();
    const env = { ...stage.env, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() };
    product = await startProduct({ role: 'start', env });
    const { uiPort, port } = JSON.parse(
      readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8'),
    ) as { readonly uiPort: number; readonly port: number };
    cli = createTemporalCli(await temporalCliPath(), `127.0.0.1:${port}`);
    address = `http://127.0.0.1:${uiPort}/namespaces/default/workflows`;
    ada = callerOf(product.url, await tokenOf('ada'));
    page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  });
  after(async () => {
    await browser?.close();
    await product?.stop();
    await stage?.close();
  });

  const paused = async (): Promise<string> => {
    const { run } = await ada.ask(
      plan([['keep', { note: 'once' }]], [['pay', { amount: 5 }]], 'Paid.'),
      { prefer: 'wait=60' },
    );
    assert.equal(run.status, 'PAUSED');
    return run.runId;
  };
  const statusOf = async (runId: string): Promise<string> => (await ada.read({ runId })).run.status;
  const becomes = (runId: string, status: string): Promise<void> =>
    until(`it is ${status}`, async () => (await statusOf(runId)) === status, WITHIN_MS);
  const sentTo = (runId: string, tool: string): number =>
    stage.sink.deliveries.filter(
      ({ headers, path }) => headers['x-holdpoint-run'] === runId && path === `/${tool}`,
    ).length;

  async function open(runId: string): Promise<void> {
    await page.goto(`${address}/${runId}`);
    await page.getByText('agentRun').first().waitFor();
    await page.getByRole('button', { name: 'More Actions' }).waitFor();
  }
  /** Of the menu beside the first button; then its dialog. */
  async function chosen(name: RegExp): Promise<Locator> {
    await page.getByRole('button', { name: 'More Actions' }).click();
    await page.getByRole('menuitem', { name }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    return dialog;
  }
  async function signal(runId: string, name: string, input?: string): Promise<void> {
    await open(runId);
    const dialog = await chosen(/Signal/);
    await dialog.locator('[aria-controls="signal-select-select"], #signal-select').first().click();
    await dialog.getByRole('option', { name }).first().click();
    if (input !== undefined) {
      await dialog.locator('.cm-content').first().fill(input);
    }
    await dialog.getByRole('button', { name: /Submit|Send/ }).click();
  }

  it('Send a Signal: approve pays, reject with a reason does not, and the record has the reason', async () => {
    const [yes, no] = [await paused(), await paused()];
    await signal(yes, 'approve');
    await becomes(yes, 'COMPLETED');
    assert.equal(sentTo(yes, 'pay'), 1);
    await signal(no, 'reject', '{"reason": "too dear"}');
    await becomes(no, 'COMPLETED');
    assert.equal(sentTo(no, 'pay'), 0);
    const { decision } = (await ada.read({ runId: no })).run.tools.at(-1) ?? {};
    assert.deepEqual([decision?.action, decision?.reason], ['REJECT', 'too dear']);
  });

  it('Request Cancellation: CANCELLED, and nothing is sent', async () => {
    const runId = await paused();
    await open(runId);
    await chosen(/Request Cancellation/);
    await confirm(page);
    await becomes(runId, 'CANCELLED');
    assert.equal(sentTo(runId, 'pay'), 0);
  });

  it('Terminate: FAILED TERMINATED, and a retry takes it up', async () => {
    const runId = await paused();
    await open(runId);
    await chosen(/Terminate/);
    await confirm(page);
    await becomes(runId, 'FAILED');
    assert.equal((await ada.read({ runId })).run.error?.code, 'TERMINATED');
    const { run: again } = await ada.retry({ runId });
    assert.equal(again.status, 'PAUSED');
    assert.deepEqual([sentTo(runId, 'keep'), sentTo(runId, 'pay')], [1, 0]);
    await ada.cancel({ runId });
  });

  it('Reset to the first task: what was done is found, and it asks again', async () => {
    const runId = await paused();
    await open(runId);
    const dialog = await chosen(/Reset/);
    await dialog.getByTestId('workflow-reset-event-id-select-button').click();
    await dialog
      .getByRole('option', { name: /WorkflowTaskCompleted/ })
      .first()
      .click();
    await dialog.getByTestId('reset-reason').fill('a test');
    await confirm(page);
    await until(
      'another execution is there',
      async () => {
        const listed = await cli(['workflow', 'list', '--query', `WorkflowId = '${runId}'`]);
        return listed.split(runId).length > 2;
      },
      WITHIN_MS,
    );
    await becomes(runId, 'PAUSED');
    assert.deepEqual([sentTo(runId, 'keep'), sentTo(runId, 'pay')], [1, 0]);
    const { run } = await ada.read({ runId });
    await ada.decide(run, { action: 'APPROVE', pauseId: run.pauseId });
    await becomes(runId, 'COMPLETED');
    assert.equal(sentTo(runId, 'pay'), 1);
  });
});

/** That it is meant. */
async function confirm(page: Page): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await dialog.getByTestId('confirm-modal-button').click();
}
