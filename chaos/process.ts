// One process of the product, looked after: killed and stopped on purpose by the faults, started
// again whenever it has ended. An end that nobody meant is a finding. (What a supervisor does in
// production.)

import { startProduct, type ProductProcess } from '../test/rig/product.ts';

export interface Looked {
  readonly name: string;
  readonly url: string;
  readonly pid: () => number | undefined;
  readonly log: () => string;
  /** It stays down until `up`. */
  readonly kill9: () => Promise<void>;
  /** Its next end is meant, whoever brings it about. */
  readonly expectEnd: () => void;
  readonly up: () => void;
  readonly signal: (name: 'SIGSTOP' | 'SIGCONT') => void;
  /** Ends so far. */
  readonly ends: () => number;
  readonly stop: () => Promise<void>;
}

export interface LookedOptions {
  readonly name: string;
  readonly role: 'api' | 'worker';
  readonly env: Readonly<Record<string, string>>;
  readonly onUnmeant: (what: string) => void;
}

export async function lookAfter({ name, role, env, onUnmeant }: LookedOptions): Promise<Looked> {
  const product: ProductProcess = await startProduct({ role, env, noWait: true });
  let [ends, meant, stopped, alive] = [0, false, false, true];
  // Faults overlap: it stays down until the last of those that hold it lets go.
  let holds = 0;
  let wake = (): void => undefined;
  const release = (): void => {
    holds = Math.max(0, holds - 1);
    if (holds === 0) wake();
  };
  const unheld = async (): Promise<void> => {
    while (holds > 0 && !stopped) await new Promise<void>((done) => (wake = done));
  };

  const loop = (async () => {
    for (;;) {
      const { code, signal } = await product.exited();
      if (stopped) return;
      ends++;
      alive = false;
      if (!meant)
        onUnmeant(`${name} ended by itself (${signal ?? code}): ${product.log().slice(-1100)}`);
      meant = false;
      await unheld();
      if (stopped) return;
      await product.start();
      alive = true;
    }
  })();

  return {
    name,
    url: product.url,
    pid: product.pid,
    log: product.log,
    kill9: async () => {
      meant ||= alive;
      holds++;
      await product.kill9();
    },
    expectEnd: () => (meant = true),
    up: release,
    signal: product.signal,
    ends: () => ends,
    stop: async () => {
      stopped = true;
      wake();
      product.signal('SIGCONT');
      await product.kill9();
      await loop;
    },
  };
}
