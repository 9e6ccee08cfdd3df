import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import { openStage, type Stage } from '../e2e/stage.ts';
import { startChromium } from '../rig/chromium.ts';
import { openConsole } from '../rig/console-page.ts';
import { freePort } from '../rig/free-port.ts';
import {
  AUDIENCE,
  CLIENT_ID,
  startOpenIdProvider,
  type OpenIdProvider,
} from '../rig/openid-provider.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';

describe('the console with an OpenID provider', function () {
  this.timeout(120_000);
  let stage: Stage;
  let provider: OpenIdProvider;
  let product: ProductProcess;
  let browser: Browser;

  before(async function () {
    stage = await openStage();
    const port = await freePort();
    provider = await startOpenIdProvider(`http://127.0.0.1:${port}/`);
    const { JWT_SECRET: _, ...env } = stage.env;
    product = await startProduct({
      role: 'start',
      env: {
        ...env,
        PORT: String(port),
        DATA_DIR: tempDir(),
        TEMPORAL_CLI: await temporalCliPath(),
        JWKS_URI: `${provider.issuer}/jwks`,
        JWT_ISSUER: provider.issuer,
        JWT_AUDIENCE: AUDIENCE,
        OIDC_ISSUER: provider.issuer,
        OIDC_CLIENT_ID: CLIENT_ID,
      },
    });
    browser = await startChromium(this);
  });
  after(async () => {
    await browser?.close();
    await product?.stop();
    await provider?.close();
    await stage?.close();
  });

  it('a person signs in by code and PKCE, comes back to where they were, and the API takes the token', async () => {
    const { page, close } = await openConsole(browser, product.url, { alsoFrom: provider.issuer });
    await page.goto(`${product.url}/#/runs`);
    const asked = page.waitForRequest((request) => request.url().includes('/auth?'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    const parameters = new URL((await asked).url()).searchParams;
    assert.equal(parameters.get('response_type'), 'code');
    assert.equal(parameters.get('code_challenge_method'), 'S256');
    for (const name of ['state', 'nonce']) assert.ok((parameters.get(name) ?? '').length >= 16);
    await page.locator('input[name=login]').fill('lea');
    await page.locator('input[name=password]').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'Runs' }).waitFor();
    await page.getByText('There are none.').waitFor();
    assert.equal(page.url(), `${product.url}/#/runs`);
    const kept =
      '[localStorage, sessionStorage, document.cookie].map((one) => JSON.stringify(one))';
    assert.doesNotMatch(
      String(await page.evaluate(kept)),
      /eyJ/,
      'no token is kept outside memory',
    );
    await close();
  });

  it('an answer of the provider that nobody asked for signs nobody in', async () => {
    const { page, close } = await openConsole(browser, product.url, { alsoFrom: provider.issuer });
    await page.goto(`${product.url}/?code=stolen&state=made-up`);
    await page.getByText('The identity provider did not sign you in').waitFor();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await close();
  });
});
