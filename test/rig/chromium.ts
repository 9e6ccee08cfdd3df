// Debian's Chromium by playwright-core: CHROMIUM, or `chromium` on PATH. Skips, and says so, where
// there is none.

import { execFileSync } from 'node:child_process';
import { chromium, type Browser } from 'playwright-core';
import { skipBecause } from './skip.ts';

function executable(): string | undefined {
  const named = process.env['CHROMIUM'];
  if (named !== undefined) return named;
  try {
    return execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** `resolve`: names that the browser finds at an address, as a name server could tell it. */
export async function startChromium(
  test: Mocha.Context,
  resolve: Readonly<Record<string, string>> = {},
): Promise<Browser> {
  const executablePath = executable();
  if (executablePath === undefined) skipBecause(test, 'no Chromium: set CHROMIUM');
  const rules = Object.entries(resolve).map(([name, address]) => `MAP ${name} ${address}`);
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      // A browser that does not keep pages from the loopback: what is tried must keep them out itself.
      '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests',
      ...(rules.length === 0 ? [] : [`--host-resolver-rules=${rules.join(',')}`]),
    ],
  });
}
