import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import {
  callerOf,
  followPlan,
  openStage,
  plan,
  tokenOf,
  type Caller,
  type Stage,
} from '../e2e/stage.ts';
import { startChromium } from '../rig/chromium.ts';
import type { ModelRequestBody } from '../rig/scripted-model.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import { DESK, openConsole, PHONE, signIn } from '../rig/console-page.ts';

const axePath = new URL(import.meta.resolve('axe-core')).pathname;

describe('the console, in a browser', function () {
  this.timeout(120_000);
  let stage: Stage;
  let product: ProductProcess;
  let browser: Browser;
  let ada: Caller;

  before(async function () {
    stage = await openStage((body) => followPlan(withLongText(body)));
    product = await startProduct({
      role: 'start',
      env: { ...stage.env, DATA_DIR: tempDir(), TEMPORAL_CLI: await temporalCliPath() },
    });
    browser = await startChromium(this);
    ada = callerOf(product.url, await tokenOf('ada'));
  });
  after(async () => {
    await browser?.close();
    await product?.stop();
    await stage?.close();
  });

  const paused = async (tool: string, args: Record<string, unknown>) => {
    const { run } = await ada.ask(plan([[tool, args]], `The ${tool} is done.`));
    assert.equal(run.status, 'PAUSED');
    return run;
  };
  const toCall = async (
    page: Page,
    run: { runId: string; pending?: readonly { callId: string }[] | undefined },
  ) => {
    await page.goto(`${product.url}/#/calls/${run.runId}/${run.pending?.[0]?.callId}`);
  };
  const statusOf = async (run: { runId: string }) => (await ada.read(run)).run.status;

  it('its first page is under 300 KB compressed, its parts come from here, and its policy lets no inline script in', async () => {
    const response = await fetch(product.url);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
    assert.match(policy, /frame-ancestors 'none'/);
    const html = await response.text();
    const parts = [...html.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path]) => path);
    assert.ok(parts.length >= 2);
    let bytes = gzipSync(html).length;
    for (const path of parts) {
      const part = await fetch(`${product.url}${path}`);
      assert.equal(part.status, 200, path);
      bytes += gzipSync(Buffer.from(await part.arrayBuffer())).length;
    }
    assert.ok(bytes < 300_000, `${bytes} bytes`);
  });

  for (const [what, viewport] of [
    ['a phone', PHONE],
    ['a desk', DESK],
  ] as const)
    it(`on ${what} an approver sees a call come in, understands it, approves it and sees what came of it`, async () => {
      const { page, close } = await openConsole(browser, product.url, { viewport });
      await page.goto(product.url);
      await signIn(page, await tokenOf('lea'));
      await page.getByRole('heading', { name: 'Waiting for you' }).waitFor();
      const sent = stage.sink.deliveries.length;
      const run = await paused('send', { note: `for ${what}`, amount: 5 });
      const item = page.getByTestId('waiting').filter({ hasText: `for ${what}` });
      await item.waitFor();
      await until('the title counts it', async () => /^\(\d+\) /.test(await page.title()));
      await item.getByRole('link').click();
      await page
        .getByRole('heading', { name: 'The agent helper wants to use the tool send' })
        .waitFor();
      assert.equal(stage.sink.deliveries.length, sent);
      await page.getByLabel('Reason').fill('I know them.');
      await page.getByRole('button', { name: 'Approve', exact: true }).click();
      await page.getByRole('heading', { name: 'The tool send was used' }).waitFor();
      await page.getByLabel('The run').getByText('The send is done.').waitFor();
      assert.equal(stage.sink.deliveries.length, sent + 1);
      assert.equal(await statusOf(run), 'COMPLETED');
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(wide <= viewport.width, `nothing is cut off at the side: ${wide}`);
      await close();
    });

  it('a call of high risk is approved only after its tool’s name was typed', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    await toCall(page, await paused('wire', { amount: 900 }));
    const approve = page.getByRole('button', { name: 'Approve', exact: true });
    await approve.waitFor();
    assert.equal(await approve.isDisabled(), true);
    await page.getByLabel('Type wire to confirm').fill('wir');
    assert.equal(await approve.isDisabled(), true);
    await page.getByLabel('Type wire to confirm').fill('wire');
    await approve.click();
    await page.getByRole('heading', { name: 'The tool wire was used' }).waitFor();
    await close();
  });

  it('what was said in the session before the call stands before who decides about it', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const sessionId = randomUUID();
    await ada.ask(plan('The invoice is from Meyer.'), { sessionId });
    const { run } = await ada.ask(plan([['pay', { amount: 4 }]], 'Paid.'), { sessionId });
    await toCall(page, run);
    const story = page.getByRole('region', { name: 'What led to it' });
    await story.getByText('The invoice is from Meyer.', { exact: true }).waitFor();
    await close();
  });

  it('a rejection with its reason reaches the record, and nothing is sent', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const sent = stage.sink.deliveries.length;
    const run = await paused('pay', { amount: 7, note: 'to be refused' });
    await toCall(page, run);
    await page.getByLabel('Reason').fill('Not this one.');
    await page.getByRole('button', { name: 'Reject' }).click();
    await page.getByRole('heading', { name: 'The tool pay was not used' }).waitFor();
    await page.getByText('Not this one.').first().waitFor();
    assert.equal(stage.sink.deliveries.length, sent);
    const decision = (await ada.read(run)).run.tools[0]?.decision;
    assert.deepEqual([decision?.action, decision?.reason], ['REJECT', 'Not this one.']);
    await close();
  });

  it('an unknown outcome says what doing it again and leaving it mean, and is left by a click', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const run = await paused('pay', { mode: 'drop', note: 'lost on the way' });
    await toCall(page, run);
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('This call may have happened already').waitFor();
    await page.getByText('it then has happened twice').waitFor();
    const again = page.getByRole('button', { name: 'Do it again' });
    assert.equal(await again.isDisabled(), true);
    await page.getByRole('button', { name: 'Leave it' }).click();
    await page
      .getByRole('heading', { name: 'Nobody knows whether the tool pay was used' })
      .waitFor();
    assert.equal((await ada.read(run)).run.tools[0]?.outcome, 'UNKNOWN');
    await close();
  });

  it('changed arguments are shown beside the proposed ones, and are what runs', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const run = await paused('send', { note: 'a hundred', amount: 100 });
    await toCall(page, run);
    await page.getByRole('button', { name: 'Change the details' }).click();
    const approve = page.getByRole('button', { name: 'Approve with my changes' });
    await page.getByLabel('amount').fill('10');
    await page.getByLabel('What you changed').getByText('100').waitFor();
    await approve.click();
    await page.getByRole('heading', { name: 'The tool send was used' }).waitFor();
    const entry = (await ada.read(run)).run.tools[0];
    assert.equal(entry?.arguments['amount'], 10);
    assert.equal(entry?.decision?.proposedArguments?.['amount'], 100);
    await close();
  });

  it('of two windows that decide the same call, the later one is told that its vote was not counted', async () => {
    const run = await paused('pay', { amount: 3 });
    const windows = await Promise.all(
      ['lea', 'mia'].map(async (who) => {
        const opened = await openConsole(browser, product.url);
        await opened.page.goto(product.url);
        await signIn(opened.page, await tokenOf(who));
        await toCall(opened.page, run);
        await opened.page.getByRole('button', { name: 'Approve', exact: true }).waitFor();
        return opened;
      }),
    );
    // The second window does not hear of the first one's vote: its streams are cut.
    const [first, second] = windows as [(typeof windows)[0], (typeof windows)[0]];
    await second.page.route(/\/(stream|runs\/run_[^/]+)$/, (route) => route.abort());
    await first.page.getByRole('button', { name: 'Reject' }).click();
    await first.page.getByRole('heading', { name: 'The tool pay was not used' }).waitFor();
    await second.page.getByRole('button', { name: 'Approve', exact: true }).click();
    await second.page.getByText('Your vote was not counted').waitFor();
    for (const { close } of windows) await close();
    assert.equal((await ada.read(run)).run.tools[0]?.decision?.action, 'REJECT');
  });

  it('shows markup, bidirectional and invisible characters as what they are, and a megabyte folded', async () => {
    const { page, close } = await openConsole(browser, product.url, { viewport: PHONE });
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const tag = String.fromCodePoint(0xe0041);
    const note = `<img src=x onerror="document.title='owned'">\u202e reversed ${tag}\u200b\u2800\ufe0f end`;
    const run = await paused('pay', { note: note + LONG_TEXT, amount: 1 });
    await toCall(page, run);
    const shown = page.getByRole('definition').filter({ hasText: 'reversed' });
    await shown.waitFor();
    const text = (await shown.textContent()) ?? '';
    for (const code of ['U+202E', 'U+E0041', 'U+200B', 'U+2800', 'U+FE0F'])
      assert.ok(text.includes(code), code);
    assert.ok(text.includes('<img src=x'));
    assert.ok(text.length < 2000, 'it is folded');
    assert.ok((await page.evaluate('document.images.length')) === 0);
    assert.notEqual(await page.title(), 'owned');
    await page.getByRole('button', { name: 'Reject' }).click();
    await page.getByRole('heading', { name: 'The tool pay was not used' }).waitFor();
    await close();
  });

  it('when the token ends while a call is open, signing in again keeps what was typed', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea', 12));
    const run = await paused('pay', { amount: 2 });
    await toCall(page, run);
    await page.getByLabel('Reason').fill('Typed before.');
    await page.getByText('Your token is not taken any more').waitFor({ timeout: 40_000 });
    await signIn(page, await tokenOf('lea'));
    await page.getByText('Your token is not taken any more').waitFor({ state: 'hidden' });
    assert.equal(await page.getByLabel('Reason').inputValue(), 'Typed before.');
    await page.getByRole('button', { name: 'Reject' }).click();
    await page.getByRole('heading', { name: 'The tool pay was not used' }).waitFor();
    await close();
  });

  it('an inbox that is open while the server is restarted goes on with what waits then', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const before = await paused('pay', { note: 'before the restart' });
    await page.getByTestId('waiting').filter({ hasText: 'before the restart' }).waitFor();
    await product.stop();
    await page.getByText('Connecting.').waitFor();
    await product.start();
    await paused('pay', { note: 'after the restart' });
    await page.getByTestId('waiting').filter({ hasText: 'after the restart' }).waitFor();
    await ada.cancel(before);
    await page
      .getByTestId('waiting')
      .filter({ hasText: 'before the restart' })
      .waitFor({ state: 'detached' });
    await close();
  });

  it('everything can be reached and decided by the keyboard alone', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('lea'));
    const run = await paused('pay', { note: 'by keyboard' });
    const link = page.getByTestId('waiting').filter({ hasText: 'by keyboard' }).getByRole('link');
    await link.waitFor();
    const tabTo = async (target: ReturnType<Page['locator']>): Promise<void> => {
      for (let presses = 0; presses < 80; presses++) {
        if (await isFocused(target)) return;
        await page.keyboard.press('Tab');
      }
      assert.fail('the focus never came there');
    };
    await tabTo(link);
    await page.keyboard.press('Enter');
    const reject = page.getByRole('button', { name: 'Reject' });
    await reject.waitFor();
    await tabTo(reject);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'The tool pay was not used' }).waitFor();
    assert.equal((await ada.read(run)).run.tools[0]?.decision?.action, 'REJECT');
    await close();
  });

  for (const dark of [false, true])
    it(`no page has a barrier that axe finds, in the ${dark ? 'dark' : 'light'} theme`, async () => {
      const { page, close } = await openConsole(browser, product.url, { dark, viewport: PHONE });
      const run = await paused('wire', { note: 'for axe', amount: 1 });
      const check = async (where: string): Promise<void> => {
        const { violations } = (await page.evaluate(
          'axe.run(document, { resultTypes: ["violations"] })',
        )) as { violations: readonly { id: string; nodes: readonly { html: string }[] }[] };
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${where}: ${id} ${nodes[0]?.html.slice(0, 200)}`),
          [],
        );
      };
      await page.addInitScript({ path: axePath });
      await page.goto(product.url);
      await page.getByLabel('Bearer token').waitFor();
      await check('sign-in');
      await signIn(page, await tokenOf('lea'));
      await page.getByTestId('waiting').first().waitFor();
      await check('inbox');
      await toCall(page, run);
      await page.getByRole('button', { name: 'Change the details' }).click();
      await page.getByLabel('amount').waitFor();
      await check('call');
      await page.goto(`${product.url}/#/runs`);
      await page
        .getByRole('link', { name: /helper for ada/ })
        .first()
        .waitFor();
      await check('runs');
      await page.goto(`${product.url}/#/runs/${run.runId}`);
      await page.getByText('What happened').or(page.getByText('ada asked')).first().waitFor();
      await check('run');
      await page.goto(`${product.url}/#/try`);
      await page.getByLabel('Message').waitFor();
      await check('try');
      await close();
    });

  it('an agent is tried out, and its run followed through a pause in the same view', async () => {
    const { page, close } = await openConsole(browser, product.url);
    await page.goto(product.url);
    await signIn(page, await tokenOf('ada'));
    await page.getByRole('link', { name: 'Try it' }).click();
    await page.getByRole('combobox', { name: 'Agent' }).click();
    await page.getByRole('option', { name: 'helper' }).click();
    await page.getByLabel('Message').fill(plan([['send', { note: 'tried' }]], 'Tried and sent.'));
    await page.getByRole('button', { name: 'Send' }).click();
    const link = page.getByRole('link', { name: 'Look at it' });
    await link.waitFor();
    const [, runId = ''] = /calls\/(run_[^/]+)/.exec((await link.getAttribute('href')) ?? '') ?? [];
    const lea = callerOf(product.url, await tokenOf('lea'));
    await lea.decide({ runId }, { action: 'APPROVE' });
    await page.getByText('Tried and sent.', { exact: true }).waitFor();
    await close();
  });

  it('the printed link signs in once, leaves no code in the address, and works no second time', async () => {
    const link = [...product.log().matchAll(/Console\s+(\S+)/g)].at(-1)?.[1] ?? '';
    assert.match(link, /#code=/);
    const first = await openConsole(browser, product.url);
    await first.page.goto(link);
    await first.page.getByRole('heading', { name: 'Waiting for you' }).waitFor();
    assert.doesNotMatch(first.page.url(), /code=/);
    await first.close();
    const second = await openConsole(browser, product.url);
    await second.page.goto(link);
    await second.page.getByText('This link was used already').waitFor();
    await second.close();
  });
});

/** The tests are compiled without the browser's types. */
const isFocused = (target: ReturnType<Page['locator']>): Promise<boolean> =>
  target.evaluate((element) =>
    (element as unknown as { matches: (selector: string) => boolean }).matches(':focus'),
  );

/** Stands for a megabyte, which a message itself may not hold. */
const LONG_TEXT = '(a megabyte)';

function withLongText(body: ModelRequestBody): ModelRequestBody {
  const text = JSON.stringify(body).replaceAll(LONG_TEXT, 'A'.repeat(1_000_000));
  return JSON.parse(text) as ModelRequestBody;
}
