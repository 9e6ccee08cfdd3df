// From a model to its readers: at once to readers in this process; to readers in other processes
// through the store, the first delta at once, then what gathers in 100 ms. The model's stream never
// waits for a write; while the database is away more gathers.

import { storable } from '../json/storable.ts';
import type { ModelDelta } from '../models/model.ts';
import type { Store } from '../store/database/access.ts';
import { appendDeltas } from '../store/events/deltas.ts';
import type { AttemptPlace, Delta } from '../store/events/live-deltas.ts';

/** The contract's 100 ms, less what the write takes. */
const GATHER_MS = 90;

export interface DeltaPublisher {
  readonly publish: (delta: ModelDelta) => void;
  /**
   * What is not stored yet, once no write is under way any more: stored in the transaction that
   * ends the attempt.
   */
  readonly rest: () => Promise<readonly Delta[]>;
  readonly close: () => void;
}

export interface SpeakingAttempt extends AttemptPlace {
  readonly runId: string;
  readonly orgId: string;
}

export function createDeltaPublisher(
  store: Store,
  { runId, orgId, ...place }: SpeakingAttempt,
): DeltaPublisher {
  const live = store.live.open(runId, place);
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let lastWriteAt = 0;
  let ended = false;

  const pairs = joinSurrogatePairs(({ kind, text }) => {
    live.append(kind, storable(text).text);
    schedule();
  });

  function schedule(): void {
    if (ended || writing !== undefined || timer !== undefined || immediate !== undefined) return;
    const waitMs = lastWriteAt + GATHER_MS - Date.now();
    if (waitMs > 0) timer = setTimeout(write, waitMs);
    // Behind what readers of this process do with it: an embedded database would hold them up for
    // its write.
    else immediate = setImmediate(write);
  }

  function write(): void {
    timer = undefined;
    immediate = undefined;
    const deltas = live.unstored();
    if (ended || deltas.length === 0) return;
    lastWriteAt = Date.now();
    writing = store
      .asWorker((tx) => appendDeltas(tx, runId, orgId, deltas))
      .then(
        () => {
          live.stored(deltas.at(-1)?.offset ?? 0);
          store.announcer.announceDeltas(runId);
        },
        // The database is away: they gather. Whatever else is wrong with them, the transaction of
        // the reply meets it too.
        () => undefined,
      )
      .finally(() => {
        writing = undefined;
        if (live.unstored().length > 0) schedule();
      });
  }

  return {
    publish: pairs.take,
    rest: async () => {
      pairs.end();
      ended = true;
      clearTimeout(timer);
      clearImmediate(immediate);
      await writing;
      return live.unstored();
    },
    close: () => {
      ended = true;
      clearTimeout(timer);
      clearImmediate(immediate);
      live.close();
    },
  };
}

/** Providers cut between the halves of a surrogate pair, which are no text by themselves. */
function joinSurrogatePairs(onWhole: (delta: ModelDelta) => void) {
  let half: ModelDelta | undefined;

  function end(): void {
    if (half !== undefined) onWhole(half);
    half = undefined;
  }

  function take({ kind, text }: ModelDelta): void {
    if (half?.kind !== kind) end();
    const joined = (half?.text ?? '') + text;
    const split = /[\ud800-\udbff]$/.test(joined);
    half = split ? { kind, text: joined.slice(-1) } : undefined;
    const whole = split ? joined.slice(0, -1) : joined;
    if (whole !== '') onWhole({ kind, text: whole });
  }

  return { take, end };
}
