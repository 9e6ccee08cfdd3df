// Frames of a run after a position, from its stored record. Readers who stand at the same place and
// ask in the same moment share one query: a run with fifty streams is read once at each change.

import type { Position } from '../../contract/position.ts';
import type { Store } from '../../store/database/access.ts';
import { positionOf, readLines, type Line } from '../../store/events/read.ts';
import { readRun } from '../../store/queries/run-record.ts';
import { presentLine, type IdentifiedFrame } from './present-event.ts';
import { createShareReads } from './share-reads.ts';

export interface FramesWanted {
  readonly orgId: string;
  readonly runId: string;
  readonly after: Position;
  readonly limit: number;
  readonly framesOnly: boolean;
}

export interface Frames {
  readonly frames: readonly IdentifiedFrame[];
  /** Behind the last line that was read, shown or not. */
  readonly position: Position;
  readonly more: boolean;
  /** The last frame ended the run. */
  readonly ended: boolean;
}

export const readFrames = (store: Store, wanted: FramesWanted): Promise<Frames> =>
  store.asOrg(wanted.orgId, async (tx) => {
    const { lines, more } = await readLines(tx, wanted.runId, wanted);
    const last = lines.at(-1);
    const run = last?.kind === 'STOP' ? await readRun(tx, wanted.orgId, wanted.runId) : undefined;
    return {
      frames: lines.flatMap((line) => presentLine(line, run) ?? []),
      position: last === undefined ? wanted.after : positionOf(last),
      more,
      ended: last !== undefined && isEnd(last),
    };
  });

const isEnd = ({ kind }: Line): boolean =>
  kind === 'STOP' || kind === 'CANCELLED' || kind === 'ERROR';

export const LINES_AT_ONCE = 100;

export type ReadFramesAfter = (
  run: { readonly orgId: string; readonly runId: string },
  after: Position,
) => Promise<Frames>;

export function createSharedReads(store: Store): ReadFramesAfter {
  const share = createShareReads<Frames>();
  return ({ orgId, runId }, after) =>
    share(`${orgId} ${runId} ${after.seq}.${after.offset}`, () =>
      readFrames(store, { orgId, runId, after, limit: LINES_AT_ONCE, framesOnly: false }),
    );
}

/**
 * The end of the record where a client claims to have seen more than there is: it may have met the
 * record before a restore.
 */
export const within = (after: Position, last: number): Position =>
  after.seq > last ? { seq: last, offset: 0 } : after;
