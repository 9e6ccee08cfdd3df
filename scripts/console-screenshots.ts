// `npm run screenshots:console`: what an approver sees, as pictures in docs/images: the inbox, a
// call on a phone, its outcome, and a run. Needs Chromium and drives a real `npm start`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { callerOf, openStage, plan, tokenOf } from '../test/e2e/stage.ts';
import { DESK, PHONE, signIn } from '../test/rig/console-page.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { temporalCliPath } from '../test/rig/temporal.ts';

const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
const stage = await openStage();
const product = await startProduct({
  role: 'start',
  env: { ...stage.env, DATA_DIR: tempDir(), TEMPORAL_CLI: await temporalCliPath() },
});
const ada = callerOf(product.url, await tokenOf('ada'));
const steps = [
  [['look', { note: 'invoice 7' }]],
  [['pay', { amount: 120, note: 'Invoice 7 of Meyer & Co., due on Friday' }]],
  'Paid: 120 to Meyer & Co.',
] as const;
const { run } = await ada.ask(plan(...steps));
await ada.ask(plan([['wire', { amount: 9000, note: 'Deposit for the new office' }]]));
assert.equal(run.status, 'PAUSED');

const browser = await chromium.launch({
  executablePath:
    process.env['CHROMIUM'] ?? execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
  args: ['--no-sandbox'],
});
const open = async (viewport: { width: number; height: number }): Promise<Page> => {
  const page = await browser.newPage({ viewport, reducedMotion: 'reduce' });
  await page.goto(product.url);
  await signIn(page, await tokenOf('lea'));
  await page.getByTestId('waiting').nth(1).waitFor();
  return page;
};
const picture = (page: Page, name: string) => page.screenshot({ path: `${images}${name}.png` });

const desk = await open(DESK);
await picture(desk, 'console-inbox');
const phone = await open(PHONE);
await phone.goto(`${product.url}/#/calls/${run.runId}/${run.pending?.[0]?.callId}`);
await phone.getByRole('button', { name: 'Approve', exact: true }).waitFor();
await picture(phone, 'console-call-phone');
await phone.getByRole('button', { name: 'Approve', exact: true }).click();
await phone.getByLabel('The run').getByText('Paid: 120').waitFor();
await picture(phone, 'console-decided-phone');
await desk.goto(`${product.url}/#/runs/${run.runId}`);
await desk.getByLabel('What happened').getByText('Completed').waitFor();
await picture(desk, 'console-run');
await browser.close();
await product.stop();
await stage.close();
process.exit(0);
