// The reference at /docs in a browser: what a reader does there, against the API over a store.

import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { newOrg, startApiRig, token, type ApiRig } from '../api/api-rig.ts';
import { startChromium } from '../rig/chromium.ts';
import { openConsole } from '../rig/console-page.ts';

describe('the reference at /docs, in a browser', function () {
  this.timeout(120_000);
  let api: ApiRig;
  let browser: Browser;
  before(async function () {
    browser = await startChromium(this);
    api = await startApiRig();
  });
  after(async () => {
    await browser?.close();
    await api?.close();
  });

  /** Closed, it fails where the page asked elsewhere, broke its policy or threw. */
  const open = async () => {
    const opened = await openConsole(browser, api.url);
    await opened.page.goto(`${api.url}/docs`);
    await opened.page.locator('.opblock').first().waitFor();
    return opened;
  };
  const authorize = async (page: Page, bearer: string): Promise<void> => {
    await page.locator('.auth-wrapper button.authorize').first().click();
    await page.locator('.auth-container input').fill(bearer);
    await page.locator('.auth-btn-wrapper button.authorize').click();
    await page.locator('.auth-btn-wrapper button.btn-done').click();
  };
  const tryIt = async (page: Page, operationId: string, fill: (block: string) => Promise<void>) => {
    const block = `[id$="-${operationId}"]`;
    await page.locator(`${block} .opblock-summary-control`).first().click();
    await page.locator(`${block} .try-out__btn`).click();
    await fill(block);
    await page.locator(`${block} button.execute`).click();
    const row = page.locator(`${block} .live-responses-table .response`);
    await row.waitFor();
    return {
      status: Number(await row.locator('.response-col_status').innerText()),
      text: await row.locator('.response-col_description').innerText(),
    };
  };

  it('lists every operation of the document, and asks nobody but this API', async () => {
    const { page, close } = await open();
    const { json } = await api.call('GET', '/openapi.json');
    const listed = [json.paths, json.webhooks].flatMap((of: object) => Object.values(of));
    const count = listed.flatMap((item: object) => Object.keys(item)).length;
    assert.equal(await page.locator('.opblock').count(), count);
    await close();
  });

  it('a request tried without a token is answered 401, with one 200, and a run is started and read back', async () => {
    const { page, close } = await open();
    const before = await tryIt(page, 'listAgents', async () => undefined);
    assert.equal(before.status, 401);
    assert.match(before.text, /UNAUTHENTICATED/);

    const org = newOrg();
    await authorize(page, await token('ada', { org }));
    await page.locator('[id$="-listAgents"] button.execute').click();
    await page.locator('[id$="-listAgents"] .live-responses-table', { hasText: 'guard' }).waitFor();

    const started = await tryIt(page, 'startRunInBackground', async (block) => {
      await page.locator(`${block} tr[data-param-name="agentId"] input`).fill('guard');
      await page.locator(`${block} textarea.body-param__text`).fill('{"message": "stay"}');
    });
    assert.equal(started.status, 200, started.text);
    const runId = /run_[0-9a-f-]{36}/.exec(started.text)?.[0] ?? assert.fail(started.text);
    assert.equal((await api.as('ada', { org }).read('guard', runId)).json.input, 'stay');
    await close();
  });
});
