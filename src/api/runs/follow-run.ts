// A reader of a run: subscribes first, then reads the store from its position, then takes what is
// sent live in this process; each wake-up continues from its position, so nothing is
// lost and nothing comes twice. Pull only: who reads slowly holds nothing.

import { isAfter, type Position } from '../../contract/position.ts';
import { StoreUnavailableError, type Store } from '../../store/database/access.ts';
import { positionAfter } from '../../store/events/live-deltas.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import { createWakeUp } from '../http/wake-up.ts';
import { presentLines, type ReadLinesAfter } from './frames.ts';
import { presentLine, type IdentifiedFrame } from './present-event.ts';

export interface Following {
  readonly viewer: Viewer;
  readonly runId: string;
  readonly from: Position;
  /** Resolves when more can be taken. */
  readonly send: (frames: readonly IdentifiedFrame[]) => Promise<void>;
  /** The reader goes: drain, token, client. */
  readonly over: AbortSignal;
}

/** A database that is away for a moment does not end a stream; how often it is asked meanwhile. */
const ASK_AGAIN_MS = 500;

/** Until the run's last frame was sent, or `over`; at least what is there already is sent. */
export async function followRun(
  store: Store,
  read: ReadLinesAfter,
  { viewer, runId, from, send, over }: Following,
): Promise<void> {
  let position = from;
  let stale = true;
  const wakeUp = createWakeUp();
  const stopListening = [
    store.announcer.listen(runId, () => {
      stale = true;
      wakeUp.set();
    }),
    store.live.listen(runId, wakeUp.set),
  ];
  over.addEventListener('abort', wakeUp.set);
  try {
    do {
      const live = stale ? 'STORE' : store.live.after(runId, position);
      if (live === 'STORE') {
        stale = false;
        const page = await read({ orgId: viewer.orgId, runId }, position).catch(unlessAway);
        if (page === 'AWAY') {
          stale = true;
          await wakeUp.wait(ASK_AGAIN_MS);
          continue;
        }
        const moved = isAfter(page.position, position);
        position = page.position;
        stale ||= page.more;
        await send(presentLines(page, viewer));
        if (page.ended) return;
        if (moved) continue;
      } else if (live.length > 0) {
        position = positionAfter(live.at(-1) as (typeof live)[number]);
        await send(live.flatMap((delta) => presentLine(delta, viewer) ?? []));
        continue;
      }
      if (!stale) await wakeUp.wait();
    } while (!over.aborted);
  } finally {
    for (const stop of stopListening) stop();
    over.removeEventListener('abort', wakeUp.set);
  }
}

function unlessAway(error: unknown): 'AWAY' {
  if (error instanceof StoreUnavailableError) return 'AWAY';
  throw error;
}
