// Waits until something holds, and says what did not. For states that nobody announces; events are
// awaited directly.

import { setTimeout as sleep } from 'node:timers/promises';

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
  everyMs = 50,
): Promise<void> {
  for (const end = Date.now() + timeoutMs; ; await sleep(everyMs)) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
  }
}
