// Lines of a run after a position, from its stored record. Readers at the same position who ask in
// the same moment share one query: a run with fifty streams is read once at each change. What they
// are shown of it is their own: a pending call shows each reader whether they may decide.

import type { Position } from '../../contract/position.ts';
import type { Store, StoreTransaction } from '../../store/database/access.ts';
import { positionOf, readLines, readRecordState, type Line } from '../../store/events/read.ts';
import { itemOf } from '../../store/queries/run-lists.ts';
import { readRun, type RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import { presentLine, type IdentifiedFrame } from './present-event.ts';
import { createShareReads } from './share-reads.ts';

export interface FramesWanted {
  readonly orgId: string;
  readonly runId: string;
  readonly after: Position;
  readonly limit: number;
  readonly framesOnly: boolean;
}

export interface Lines {
  readonly lines: readonly Line[];
  /** As it is, where a line is shown with something of it. */
  readonly run: RunRecord | undefined;
  /** Behind the last line that was read, shown or not. */
  readonly position: Position;
  readonly more: boolean;
  /** The last frame ended the run. */
  readonly ended: boolean;
}

export const readRunLines = (store: Store, wanted: FramesWanted): Promise<Lines> =>
  store.asOrg(wanted.orgId, async (tx) => {
    const { lines, more } = await readLines(tx, wanted.runId, wanted);
    const last = lines.at(-1);
    // On a stream the last frame is the whole run; on a page it is an item.
    const scope = wanted.framesOnly ? itemOf(lines.length) : undefined;
    const run = lines.some(showsRun)
      ? await readRun(tx, wanted.orgId, wanted.runId, scope)
      : undefined;
    return {
      lines,
      run,
      position: last === undefined ? wanted.after : positionOf(last),
      more,
      ended: last !== undefined && (await isEnd(tx, wanted.runId, last)),
    };
  });

const showsRun = ({ kind }: Line): boolean => kind === 'STOP' || kind === 'PAUSED';

export const presentLines = ({ lines, run }: Lines, viewer: Viewer): readonly IdentifiedFrame[] =>
  lines.flatMap((line) => presentLine(line, viewer, run) ?? []);

/** An ERROR is the end only where nothing follows it: the run may have been taken up again. */
async function isEnd(tx: StoreTransaction, runId: string, { kind, seq }: Line): Promise<boolean> {
  if (kind === 'STOP' || kind === 'CANCELLED') return true;
  if (kind !== 'ERROR') return false;
  const record = await readRecordState(tx, runId);
  return record === undefined || record.last === seq;
}

export const LINES_AT_ONCE = 100;

export type ReadLinesAfter = (
  run: { readonly orgId: string; readonly runId: string },
  after: Position,
) => Promise<Lines>;

export function createSharedReads(store: Store): ReadLinesAfter {
  const share = createShareReads<Lines>();
  return ({ orgId, runId }, after) =>
    share(`${orgId} ${runId} ${after.seq}.${after.offset}`, () =>
      readRunLines(store, { orgId, runId, after, limit: LINES_AT_ONCE, framesOnly: false }),
    );
}

/**
 * The end of the record where a client claims to have seen more than there is: it may have met the
 * record before a restore.
 */
export const within = (after: Position, last: number): Position =>
  after.seq > last ? { seq: last, offset: 0 } : after;
