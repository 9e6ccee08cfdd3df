// An outcome must not be lost because the database is away for a while: it is written as soon as the
// database is back. The activity's heartbeat goes on meanwhile; a worker that stops gives up.

import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { StoreUnavailableError } from '../store/database/access.ts';

const AGAIN_AFTER_MS = 500;

export async function untilStored<T>(write: () => Promise<T>): Promise<T> {
  const { cancellationSignal } = Context.current();
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || cancellationSignal.aborted) throw error;
      await sleep(AGAIN_AFTER_MS);
    }
  }
}
