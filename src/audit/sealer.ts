// Seals audit lines some seconds after they were written, and keeps the head of the chain elsewhere.
// Every process has one; the database lets one of them work at a time.

import { sealLines, type Head } from '../store/audit-seals.ts';
import type { Store } from '../store/database/access.ts';
import type { Anchor } from './anchor.ts';
import type { SealKey } from './seal.ts';

export interface SealerDeps {
  readonly store: Pick<Store, 'asReconciler'>;
  readonly key: SealKey;
  readonly anchor: Anchor | null;
  readonly log: { readonly error: (o: object, m: string) => void };
  /** Calls back when there are new lines; returns what ends it. */
  readonly onDue?: (look: () => void) => () => void;
  readonly anchorEveryMs?: number;
}

/** Between two looks; what was written since the last one is not sealed yet. */
const EVERY_MS = 10_000;
/** For a line whose transaction ended after the look that sealed later ones, and for the last head. */
const WITHOUT_CAUSE_MS = 300_000;
const ANCHOR_EVERY_MS = 60_000;
const LINES_AT_ONCE = 500;

export interface Sealer {
  /** Seals once more, and keeps the head. */
  readonly stop: () => Promise<void>;
}

export function startSealer(deps: SealerDeps): Sealer {
  const { store, key, anchor, log } = deps;
  let head: Head | undefined;
  let anchoredSeq = 0;
  let anchoredAt = -Infinity;
  let refused = false;
  let lookedAt = -Infinity;
  let underWay: Promise<void> = Promise.resolve();

  async function sealAll(): Promise<void> {
    for (;;) {
      const sealing = await store.asReconciler((tx) => sealLines(tx, key, LINES_AT_ONCE));
      if (sealing.kind === 'OTHER_KEY') {
        if (!refused)
          log.error(
            { sealedWith: sealing.keyId, keyHere: key.id },
            'the audit is not sealed: its last seal was made with another AUDIT_KEY',
          );
        refused = true;
        return;
      }
      refused = false;
      ({ head } = sealing);
      if (!sealing.left) return;
    }
  }
  async function keepHead(): Promise<void> {
    if (anchor === null || head === undefined || head.seq === anchoredSeq) return;
    await anchor.keep(head);
    anchoredSeq = head.seq;
    anchoredAt = performance.now();
  }
  async function look(last: boolean): Promise<void> {
    lookedAt = performance.now();
    try {
      await sealAll();
    } catch {
      // The database is away: the next look goes on.
      return;
    }
    if (!last && performance.now() - anchoredAt < (deps.anchorEveryMs ?? ANCHOR_EVERY_MS)) return;
    await keepHead().catch((error: unknown) =>
      log.error(
        { err: error, place: anchor?.place },
        "the head of the audit's chain was not kept outside the database",
      ),
    );
  }
  const next = (last = false): Promise<void> => (underWay = underWay.then(() => look(last)));
  const unlisten = deps.onDue?.(() => {
    if (performance.now() - lookedAt >= EVERY_MS) void next();
  });
  const timer = setInterval(() => void next(), WITHOUT_CAUSE_MS);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      unlisten?.();
      await next(true);
    },
  };
}
