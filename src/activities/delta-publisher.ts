// From a model to its readers: at once to those of this process, and into the store, the
// first delta at once and then what has gathered in 100 ms, for those of others. The model's stream
// never waits for a write; a database that is away only lets more gather.

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
  let half: ModelDelta | undefined;
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let lastWriteAt = 0;
  let ended = false;

  function speak(kind: ModelDelta['kind'], text: string): void {
    if (text === '') return;
    live.append(kind, storable(text).text);
    schedule();
  }

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
    publish: ({ kind, text }) => {
      // Providers cut between the halves of a surrogate pair, which are no text by themselves.
      const whole = half?.kind === kind ? half.text + text : text;
      if (half !== undefined && half.kind !== kind) speak(half.kind, half.text);
      half = undefined;
      const split = /[\ud800-\udbff]$/.test(whole);
      if (split) half = { kind, text: whole.slice(-1) };
      speak(kind, split ? whole.slice(0, -1) : whole);
    },
    rest: async () => {
      if (half !== undefined) speak(half.kind, half.text);
      half = undefined;
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
