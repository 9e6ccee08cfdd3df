// `npm run screenshots:console`: what an approver sees, as pictures in docs/images: the inbox, a
// call on a phone, its outcome, and a run. Needs Chromium and drives a real `npm start`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { callerOf, openStage, tokenOf } from '../test/e2e/stage.ts';
import { DESK, PHONE, signIn } from '../test/rig/console-page.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { temporalCliPath } from '../test/rig/temporal.ts';

const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
/** What an agent of a shop does with a question: it looks the order up, and wants to refund it. */
const stage = await openStage(({ messages }) => {
  const question = String(messages.findLast(({ role }) => role === 'user')?.content);
  const turn = messages.filter(({ role }) => role === 'tool').length;
  if (question.includes('office'))
    return { toolCalls: [{ name: 'wire', args: { amount: 9000, note: question } }] };
  return (
    [
      { toolCalls: [{ name: 'look_up_order', args: { orderId: 'o-4711' } }] },
      {
        text: 'The parcel came damaged, as the customer writes. The order was paid in full.',
        toolCalls: [
          {
            name: 'refund',
            args: { orderId: 'o-4711', amountCents: 12_950, currency: 'EUR', reason: 'damaged' },
          },
        ],
      },
    ][turn] ?? { text: 'EUR 129.50 of order o-4711 were refunded.' }
  );
});
writeFileSync(
  join(stage.agentsDir, 'shop.yaml'),
  `id: shop
name: Shop
description: Answers the customers of a shop.
model: scripted
instructions: Help the customer.
tools:
  - name: look_up_order
    description: Looks an order up.
    input: { type: object, properties: { orderId: { type: string } } }
    http: { method: POST, url: "${stage.sink.url}/look_up_order" }
    readOnly: true
  - name: refund
    description: Pays money back to the customer of an order.
    input:
      type: object
      properties:
        orderId: { type: string }
        amountCents: { type: integer }
        currency: { type: string }
        reason: { type: string }
      required: [orderId, amountCents, currency, reason]
    http: { method: POST, url: "${stage.sink.url}/refund" }
    idempotent: true
    approval: required
    summary: "Refund {amountCents | money:currency} of order {orderId}"
    labels: { reason: Why }
`,
);
const product = await startProduct({
  role: 'start',
  env: { ...stage.env, DATA_DIR: tempDir(), TEMPORAL_CLI: await temporalCliPath() },
});
const ada = callerOf(product.url, await tokenOf('ada'));
const { run } = await ada.ask('Order o-4711 came with a broken lid. I would like my money back.', {
  agent: 'shop',
});
await ada.ask('Deposit for the new office');
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
await phone.getByLabel('The run').getByText('were refunded').waitFor();
await picture(phone, 'console-decided-phone');
await desk.goto(`${product.url}/#/runs/${run.runId}`);
await desk.getByLabel('What happened').getByText('Completed').waitFor();
await picture(desk, 'console-run');
await browser.close();
await product.stop();
await stage.close();
process.exit(0);
