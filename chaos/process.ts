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
  let [ends, meant, stopped] = [0, false, false];
  let held: Promise<void> = Promise.resolve();
  let release = (): void => undefined;

  const loop = (async () => {
    for (;;) {
      const { code, signal } = await product.exited();
      if (stopped) return;
      ends++;
      if (!meant)
        onUnmeant(`${name} ended by itself (${signal ?? code}): ${product.log().slice(-1100)}`);
      meant = false;
      await held;
      if (stopped) return;
      await product.start();
    }
  })();

  return {
    name,
    url: product.url,
    pid: product.pid,
    log: product.log,
    kill9: async () => {
      meant = true;
      held = new Promise((done) => (release = done));
      await product.kill9();
    },
    expectEnd: () => (meant = true),
    up: () => release(),
    signal: product.signal,
    ends: () => ends,
    stop: async () => {
      stopped = true;
      release();
      product.signal('SIGCONT');
      await product.kill9();
      await loop;
    },
  };
}
