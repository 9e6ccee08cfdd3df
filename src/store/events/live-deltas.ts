// Deltas of models in this process that the store does not have yet. A reader here gets a delta the
// moment it comes; what is stored is released, so this holds a tenth of a
// second of each reply. Ids only in announce.ts, text only here; no source of truth.

import { isAfter, type Position } from '../../contract/position.ts';

export type DeltaKind = 'CONTENT' | 'REASONING';

export interface Delta {
  /** Of the attempt's event. */
  readonly seq: number;
  /** UTF-16 code units of the attempt up to the end of this. */
  readonly offset: number;
  readonly kind: DeltaKind;
  readonly text: string;
  readonly turn: number;
  readonly at: Date;
}

export const positionAfter = ({ seq, offset }: Delta): Position => ({ seq, offset });

/**
 * The part of a delta that a reader at `position` has not seen; undefined where that is nothing.
 */
export function unseenPart(delta: Delta, position: Position): Delta | undefined {
  if (!isAfter(delta, position)) return undefined;
  if (delta.seq !== position.seq) return delta;
  const start = delta.offset - delta.text.length;
  return position.offset <= start
    ? delta
    : { ...delta, text: delta.text.slice(position.offset - start) };
}

export interface LiveAttempt {
  readonly append: (kind: DeltaKind, text: string) => void;
  /** Neighbours of a kind joined. */
  readonly unstored: () => readonly Delta[];
  readonly stored: (through: number) => void;
  readonly close: () => void;
}

export interface AttemptPlace {
  /** Of its event. */
  readonly seq: number;
  readonly turn: number;
  /** The first at its turn: its event is hidden from readers. */
  readonly first: boolean;
}

export interface LiveDeltas {
  readonly open: (runId: string, attempt: AttemptPlace) => LiveAttempt;
  /** What follows `position` without a gap; `STORE` where the store has to be asked first. */
  readonly after: (runId: string, position: Position) => readonly Delta[] | 'STORE';
  /** Called at each delta; returns what ends it. */
  readonly listen: (runId: string, listener: () => void) => () => void;
}

interface OpenAttempt {
  readonly seq: number;
  readonly first: boolean;
  /** Where the unstored part begins. */
  from: number;
  unstored: Delta[];
}

export function createLiveDeltas(): LiveDeltas {
  // A second attempt of a run: an attempt that Temporal gave up for dead while this process was
  // busy.
  const attempts = new Map<string, Set<OpenAttempt>>();
  const listeners = new Map<string, Set<() => void>>();

  return {
    open: (runId, { seq, turn, first }) => {
      const attempt: OpenAttempt = { seq, first, from: 0, unstored: [] };
      let end = 0;
      member(attempts, runId).add(attempt);
      return {
        append: (kind, text) => {
          end += text.length;
          attempt.unstored.push({ seq, offset: end, kind, text, turn, at: new Date() });
          for (const listener of listeners.get(runId) ?? []) listener();
        },
        unstored: () => joined(attempt.unstored),
        stored: (through) => {
          attempt.unstored = attempt.unstored.flatMap(
            (delta) => unseenPart(delta, { seq, offset: through }) ?? [],
          );
          attempt.from = through;
        },
        close: () => leave(attempts, runId, attempt),
      };
    },
    after: (runId, position) => {
      for (const attempt of attempts.get(runId) ?? []) {
        // Who has all events but its own, which says nothing, need not ask for that: only deltas
        // and calls come between two turns.
        if (
          attempt.first &&
          attempt.from === 0 &&
          attempt.seq === position.seq + 1 &&
          position.offset === 0
        )
          return unseen(attempt.unstored, position);
        if (attempt.seq > position.seq) return 'STORE';
        if (attempt.seq < position.seq) continue;
        if (attempt.from > position.offset) return 'STORE';
        return unseen(attempt.unstored, position);
      }
      return [];
    },
    listen: (runId, listener) => {
      member(listeners, runId).add(listener);
      return () => leave(listeners, runId, listener);
    },
  };
}

/** From the end, since a reader is mostly one delta behind. */
function unseen(deltas: readonly Delta[], position: Position): readonly Delta[] {
  let first = deltas.length;
  while (first > 0 && isAfter(deltas[first - 1] as Delta, position)) first--;
  return deltas.slice(first).map((delta) => unseenPart(delta, position) ?? delta);
}

function joined(deltas: readonly Delta[]): readonly Delta[] {
  const chunks: Delta[] = [];
  for (const delta of deltas) {
    const last = chunks.at(-1);
    if (last?.kind === delta.kind)
      chunks[chunks.length - 1] = { ...last, offset: delta.offset, text: last.text + delta.text };
    else chunks.push(delta);
  }
  return chunks;
}

function member<T>(sets: Map<string, Set<T>>, key: string): Set<T> {
  const set = sets.get(key) ?? new Set<T>();
  sets.set(key, set);
  return set;
}

function leave<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
