// The server's word on how to sign in here, read before anybody is.

import type { ConsoleSettings } from '../../../src/contract/console.ts';

export async function readSettings(): Promise<ConsoleSettings> {
  const response = await fetch('/console/settings');
  if (!response.ok) throw new Error(`the console's settings cannot be read (${response.status})`);
  return (await response.json()) as ConsoleSettings;
}
