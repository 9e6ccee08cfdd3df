// A reader of the inbox: subscribes first, then reads from its position, again at each change.
// Readers at the same position share what is read; what each is shown of it is theirs.

import type { InboxFrame } from '../../contract/lists.ts';
import type { Position } from '../../contract/position.ts';
import { writePosition } from '../../contract/position.ts';
import { StoreUnavailableError } from '../../store/database/access.ts';
import {
  readInbox,
  type InboxLine,
  type InboxLines,
  type InboxPosition,
} from '../../store/queries/inbox.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import type { AppDeps } from '../deps.ts';
import { createWakeUp } from '../http/wake-up.ts';
import { presentDecision } from '../runs/present.ts';
import { presentWaiting } from '../runs/present-pending.ts';
import { createShareReads } from '../runs/share-reads.ts';
import type { InboxWatch } from './inbox-watch.ts';

export interface IdentifiedInboxFrame {
  readonly id: string;
  readonly frame: InboxFrame;
}

export interface FollowingInbox {
  readonly viewer: Viewer;
  readonly agentId: string | undefined;
  readonly from: InboxPosition;
  /** Resolves when more can be taken. */
  readonly send: (frames: readonly IdentifiedInboxFrame[]) => Promise<void>;
  readonly over: AbortSignal;
}

const LINES_AT_ONCE = 100;
/** A database that is away for a moment does not end a stream. */
const ASK_AGAIN_MS = 500;

export type FollowInbox = (following: FollowingInbox) => Promise<void>;

export function createFollowInbox(
  { store }: Pick<AppDeps, 'store'>,
  watch: InboxWatch,
): FollowInbox {
  const share = createShareReads<InboxLines>();
  const read = (orgId: string, from: InboxPosition): Promise<InboxLines> =>
    share(`${orgId} ${from.head}.${from.given}`, () =>
      store.asOrg(orgId, (tx) => readInbox(tx, orgId, from, LINES_AT_ONCE)),
    );

  return async ({ viewer, agentId, from, send, over }) => {
    const wakeUp = createWakeUp();
    const stop = watch.listen(viewer.orgId, wakeUp.set);
    over.addEventListener('abort', wakeUp.set);
    let position = from;
    try {
      do {
        const page = await read(viewer.orgId, position).catch(unlessAway);
        if (page === 'AWAY') {
          await wakeUp.wait(ASK_AGAIN_MS);
          continue;
        }
        position = page.position;
        await send(page.lines.flatMap((line) => presentInboxLine(line, viewer, agentId) ?? []));
        if (!page.more) await wakeUp.wait();
      } while (!over.aborted);
    } finally {
      stop();
      over.removeEventListener('abort', wakeUp.set);
    }
  };
}

function unlessAway(error: unknown): 'AWAY' {
  if (error instanceof StoreUnavailableError) return 'AWAY';
  throw error;
}

/** undefined for a call that the viewer may not vote on. */
function presentInboxLine(
  { kind, position, at, run, call, decision }: InboxLine,
  viewer: Viewer,
  agentId: string | undefined,
): IdentifiedInboxFrame | undefined {
  if (agentId !== undefined && run.agentId !== agentId) return undefined;
  const item = presentWaiting(run, call, viewer);
  if (!item.youMay) return undefined;
  const timestamp = at.getTime();
  return {
    id: writePosition(positionOf(position)),
    frame:
      kind === 'WAITING'
        ? { event: kind, data: item, timestamp }
        : {
            event: kind,
            data: {
              ...item,
              youMay: false,
              whyNot: 'It does not wait any more.',
              ...(decision === null ? {} : { decision: presentDecision(decision) }),
            },
            timestamp,
          },
  };
}

/** On the wire a position of the inbox looks like one of a run. */
const positionOf = ({ head, given }: InboxPosition): Position => ({ seq: head, offset: given });
