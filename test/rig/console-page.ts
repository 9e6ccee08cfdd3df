// The console in headless Chromium, as a person has it in front of them. What the page must never
// do (ask elsewhere, break its policy, throw) is collected and looked at by every test.

import assert from 'node:assert/strict';
import type { Browser, BrowserContext, Page } from 'playwright-core';

export const PHONE = { width: 360, height: 740 };
export const DESK = { width: 1280, height: 900 };

export interface ConsolePage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Fails where the page did what it must not do. */
  readonly close: () => Promise<void>;
}

export async function openConsole(
  browser: Browser,
  url: string,
  { viewport = DESK, dark = false, alsoFrom = url } = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({
    viewport,
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const wrong: string[] = [];
  context.on('request', (request) => {
    // A provider's own page may ask whom it likes.
    const ours = request.frame().url().startsWith(url);
    if (ours && ![url, alsoFrom].some((origin) => request.url().startsWith(origin)))
      wrong.push(`asked for ${request.url()}`);
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => wrong.push(`threw ${error.message}`));
  page.on('console', (message) => {
    if (/Content.Security.Policy|violates/i.test(message.text())) wrong.push(message.text());
  });
  return {
    page,
    context,
    close: async () => {
      await context.close();
      assert.deepEqual(wrong, []);
    },
  };
}

/** With a pasted token, from wherever the page is. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Bearer token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}
