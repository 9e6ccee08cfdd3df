// The receiver of the agents' tools: every delivery is a line in a file, written and synced before
// it is answered, so that what happened is known whatever dies. `note` and `mail` honour
// Idempotency-Key (a repeat has no effect), `post` and `pay` do not.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, serve } from '../test/rig/http-server.ts';

export type ToolFault = 'slow' | 'drop' | '500';

export const HONOURS_KEY: ReadonlySet<string> = new Set(['note', 'mail']);
export const GUARDED: ReadonlySet<string> = new Set(['mail', 'pay']);

export interface Delivery {
  readonly at: number;
  readonly tool: string;
  /** As it came; '' where there was none. */
  readonly key: string;
  /** The body as text. */
  readonly body: string;
  readonly worker: string;
  /** False for a repeat under a known key, and for a 500. */
  readonly effect: boolean;
  /** What was done to its answer. */
  readonly fault: ToolFault | 'killed' | null;
  /** What it was answered; null where the answer was lost. */
  readonly answer: string | null;
}

export interface Sink {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  /** The next `count` deliveries answer so. */
  readonly arm: (fault: ToolFault, count: number) => void;
  /** How many had that fault. */
  readonly faulted: (fault: ToolFault) => number;
  /**
   * Called once, after the next effect and before its answer, with the worker's name; the answer is
   * then lost.
   */
  readonly afterEffect: (hook: (worker: string) => void) => () => void;
  readonly close: () => Promise<void>;
}

/** Longer than the agents' tool timeout of 4 s. */
const SLOW_MS = 5500;

export async function startSink(file: string): Promise<Sink> {
  const fd = openSync(file, 'a');
  const deliveries: Delivery[] = [];
  const known = new Set<string>();
  const armed: ToolFault[] = [];
  const counts = new Map<ToolFault, number>();
  let hook: ((worker: string) => void) | undefined;

  const server = await serve(async (request, response) => {
    const body = await bodyOf(request);
    const tool = (request.url ?? '').slice(1);
    const header = (name: string): string => String(request.headers[name] ?? '');
    const key = header('idempotency-key');
    const fault = armed.shift() ?? null;
    if (fault !== null) counts.set(fault, (counts.get(fault) ?? 0) + 1);
    const effect = fault !== '500' && !(HONOURS_KEY.has(tool) && known.has(key));
    if (effect && HONOURS_KEY.has(tool)) known.add(key);
    const killing = fault === null && effect ? hook : undefined;
    if (killing !== undefined) hook = undefined;
    const text = fault === '500' ? 'the tool failed' : `done ${deliveries.length + 1}`;
    const lost = killing !== undefined || fault === 'drop' || fault === 'slow';
    const line: Delivery = {
      at: Date.now(),
      tool,
      key,
      body,
      worker: header('x-chaos-worker'),
      effect,
      fault: killing === undefined ? fault : 'killed',
      answer: lost ? null : text,
    };
    writeSync(fd, `${JSON.stringify(line)}\n`);
    fsyncSync(fd);
    deliveries.push(line);
    if (killing !== undefined) {
      killing(line.worker);
      await sleep(100);
      return void response.socket?.destroy();
    }
    if (fault === 'drop') return void response.socket?.destroy();
    if (fault === 'slow') await sleep(SLOW_MS);
    response.statusCode = fault === '500' ? 500 : 200;
    response.end(text);
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    deliveries,
    arm: (fault, count) => void armed.push(...Array.from({ length: count }, () => fault)),
    faulted: (fault) => counts.get(fault) ?? 0,
    afterEffect: (next) => {
      hook = next;
      return () => {
        if (hook === next) hook = undefined;
      };
    },
    close: async () => {
      await server.close();
      closeSync(fd);
    },
  };
}
