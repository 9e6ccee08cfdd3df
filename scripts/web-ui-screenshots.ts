// `npm run screenshots`: what an operator sees in Temporal's Web UI, as pictures in docs/images: a
// paused run, the dialog from which a decision is sent, and the run after it. Needs Chromium
// (CHROMIUM, or `chromium` on PATH) and drives a real `npm start`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { callerOf, openStage, plan, tokenOf } from '../test/e2e/stage.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { temporalCliPath } from '../test/rig/temporal.ts';
import { until } from '../test/rig/wait.ts';

const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
mkdirSync(images, { recursive: true });
const executablePath =
  process.env['CHROMIUM'] ?? execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim();

const dataDir = tempDir();
const stage = await openStage();
const product = await startProduct({
  role: 'start',
  env: { ...stage.env, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() },
});
const { uiPort } = JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')) as {
  uiPort: number;
};
const ada = callerOf(product.url, await tokenOf('ada'));
const { run } = await ada.ask(
  plan([['look', { note: 'NVDA' }]], [['pay', { amount: 120, note: 'invoice 7' }]], 'Paid.'),
);
assert.equal(run.status, 'PAUSED');

async function play(): Promise<void> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const page = await browser.newPage({
    viewport: { width: 1400, height: 1000 },
    colorScheme: 'light',
  });
  const address = `http://127.0.0.1:${uiPort}/namespaces/default/workflows`;
  const shoot = async (name: string, on: Page = page): Promise<void> => {
    await on.screenshot({ path: join(images, `${name}.png`) });
    console.log(`docs/images/${name}.png`);
  };
  const openRun = async (): Promise<void> => {
    await page.goto(`${address}/${run.runId}`);
    await page.getByText('agentRun').first().waitFor();
  };

  await openRun();
  await shoot('paused-run');
  for (const [tab, name] of [
    ['User Metadata', 'paused-run-waits-for'],
    ['Search Attributes', 'paused-run-search-attributes'],
  ] as const) {
    await page
      .getByRole('link', { name: tab })
      .or(page.getByRole('tab', { name: tab }))
      .first()
      .click();
    const words = tab === 'User Metadata' ? 'This run waits for a person' : 'HoldpointWaitingSince';
    // Markdown is shown in a frame of its own.
    const shown = async (): Promise<boolean> =>
      (
        await Promise.all(
          page.frames().map((frame) =>
            frame
              .getByText(words)
              .count()
              .catch(() => 0),
          ),
        )
      ).some((n) => n > 0);
    await until(words, shown, 30_000, 200);
    await shoot(name);
  }

  await openRun();
  await page.getByRole('button', { name: 'More Actions' }).click();
  await page
    .getByRole('menuitem', { name: /Signal/ })
    .first()
    .click();
  await page.getByRole('dialog').waitFor();
  const dialog = page.getByRole('dialog');
  await dialog.locator('[aria-controls="signal-select-select"], #signal-select').first().click();
  await shoot('signal-choices');
  await dialog.getByRole('option', { name: 'approve' }).click();
  await dialog.getByRole('option', { name: 'approve' }).waitFor({ state: 'hidden' });
  await shoot('signal-approve');
  await dialog.getByRole('button', { name: /Submit|Send/ }).click();
  await until(
    'the run went to its end',
    async () => (await ada.read(run)).run.status === 'COMPLETED',
  );
  const ended = (await ada.read(run)).run;
  assert.deepEqual([ended.content, ended.tools[1]?.decision?.by], ['Paid.', ['operator']]);
  await openRun();
  await shoot('approved-run');
  await browser.close();
}

try {
  await play();
} finally {
  await product.stop();
  await stage.close();
}
process.exit(0);
