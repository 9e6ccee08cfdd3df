import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import {
  agentFile,
  callerOf,
  openStage,
  plan,
  tokenOf,
  type Caller,
  type Stage,
} from '../e2e/stage.ts';
import { startChromium } from '../rig/chromium.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { createTemporalCli } from '../../src/dev/temporal-cli.ts';
import { until } from '../rig/wait.ts';

/** Who may approve, as an agent file says it. */
const APPROVERS = {
  anyone: '',
  operators: 'approvers: ["operator"]',
  role: 'approvers: ["role:finance-lead"]',
  several: 'approvers: ["user:lea", "operator"]',
} as const;
type Who = keyof typeof APPROVERS;

const ONLY_REJECT = /Operators may only reject/;
const NOTHING = /Operators decide nothing here/;
const MAY_APPROVE = /choose approve or reject, and leave the input empty/;

/** What an operator reads, and what `approve` then does. */
const OFFERED: Readonly<Record<string, Readonly<Record<Who, RegExp>>>> = {
  full: {
    anyone: MAY_APPROVE,
    operators: MAY_APPROVE,
    role: ONLY_REJECT,
    several: MAY_APPROVE,
  },
  'reject-only': {
    anyone: ONLY_REJECT,
    operators: ONLY_REJECT,
    role: ONLY_REJECT,
    several: ONLY_REJECT,
  },
  off: { anyone: NOTHING, operators: NOTHING, role: NOTHING, several: NOTHING },
};

describe("Temporal's Web UI, in a browser", function () {
  this.timeout(180_000);
  let browser: Browser;
  before(async function () {
    browser = await startChromium(this);
  });
  after(() => browser?.close());

  for (const [setting, offered] of Object.entries(OFFERED))
    describe(`where OPERATOR_DECISIONS is ${setting}`, () => {
      let stage: Stage;
      let product: ProductProcess;
      let ada: Caller;
      let page: Page;
      let server: { readonly port: number; readonly uiPort: number };
      before(async () => {
        stage = await openStage();
        for (const [who, line] of Object.entries(APPROVERS))
          writeFileSync(join(stage.agentsDir, `${who}.yaml`), asking(who, stage.sink.url, line));
        const dataDir = tempDir();
        product = await startProduct({
          role: 'start',
          env: {
            ...stage.env,
            DATA_DIR: dataDir,
            TEMPORAL_CLI: await temporalCliPath(),
            OPERATOR_DECISIONS: setting,
          },
        });
        server = JSON.parse(
          readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8'),
        ) as typeof server;
        ada = callerOf(product.url, await tokenOf('ada'));
        page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
      });
      after(async () => {
        await page?.close();
        await product?.stop();
        await stage?.close();
      });

      const open = (runId: string) =>
        page.goto(`http://127.0.0.1:${server.uiPort}/namespaces/default/workflows/${runId}`);
      const workflow = async (...args: readonly string[]) =>
        createTemporalCli(await temporalCliPath(), `127.0.0.1:${server.port}`)(
          ['workflow', ...args],
          60_000,
        );
      const paused = async (agent: string) => {
        const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Done.'), { agent });
        assert.equal(run.status, 'PAUSED');
        return { agentId: agent, runId: run.runId };
      };

      for (const [who, words] of Object.entries(offered))
        it(`an operator reads what they may do about a call that ${who} may approve, and may do that`, async () => {
          const run = await paused(who);
          await open(run.runId);
          await page.getByText('agentRun').first().waitFor();
          await tabOf(page, 'User Metadata').click();
          const text = await wordsOf(page, 'This run waits for a person');
          assert.match(text, words);
          assert.match(text, /may be approved by/);
          assert.equal(/choose approve/.test(text), words === MAY_APPROVE, text);
          await workflow('signal', '--workflow-id', run.runId, '--name', 'approve');
          if (words === MAY_APPROVE) {
            await until('it ends', async () => (await ada.read(run)).run.status === 'COMPLETED');
            const { run: end } = await ada.read(run);
            assert.deepEqual(end.tools[0]?.decision?.by, ['operator']);
            return;
          }
          await workflow('signal', '--workflow-id', run.runId, '--name', 'reject');
          if (words === NOTHING) {
            await page.reload();
            await wordsOf(page, 'Decisions by operators are switched off.');
            assert.equal((await ada.read(run)).run.status, 'PAUSED');
            return;
          }
          await until('it ends', async () => (await ada.read(run)).run.status === 'COMPLETED');
          const { run: end } = await ada.read(run);
          assert.deepEqual(
            [end.tools[0]?.decision?.action, end.tools[0]?.decision?.by],
            ['REJECT', ['operator']],
          );
        });

      if (setting === 'full')
        it('its button Pause holds the run, which the record says, and Unpause lets it go', async () => {
          const run = await paused('anyone');
          await open(run.runId);
          await page.getByText('agentRun').first().waitFor();
          await press(page, /^Pause/);
          await until(
            'the record says it',
            async () => (await ada.read(run)).run.heldBy === 'operator',
          );
          await open(run.runId);
          await press(page, /^Unpause/);
          await until(
            'the record says it no more',
            async () => (await ada.read(run)).run.heldBy === undefined,
          );
          const { run: end } = await ada.decide(run, { action: 'APPROVE' });
          assert.equal(end.status, 'COMPLETED');
        });
    });
});

/** The agent of the stage, whose tool `pay` these may approve. */
const asking = (id: string, url: string, approvers: string): string =>
  agentFile(id, url).replace(
    'idempotent: false',
    `idempotent: false${approvers === '' ? '' : `\n    ${approvers}`}`,
  );

const tabOf = (page: Page, name: string) =>
  page.getByRole('link', { name }).or(page.getByRole('tab', { name })).first();

/** Markdown is shown in a frame of its own. */
async function wordsOf(page: Page, marker: string): Promise<string> {
  let found = '';
  await until(marker, async () => {
    for (const frame of page.frames()) {
      const text = await frame.evaluate<string>('document.body.innerText').catch(() => '');
      if (text.includes(marker)) found = text;
    }
    return found !== '';
  });
  return found;
}

/** A button of the page, and of the dialog that asks whether it is meant. */
async function press(page: Page, name: RegExp): Promise<void> {
  const button = page.getByRole('button', { name }).first();
  const more = page.getByRole('button', { name: 'More Actions' });
  await button.or(more).first().waitFor();
  if ((await button.count()) === 0) {
    await more.click();
    await page.getByRole('menuitem', { name }).first().click();
  } else await button.click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await dialog.getByRole('button', { name }).last().click();
}
