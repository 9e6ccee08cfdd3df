// A workflow that finds its run cancelled closes as Canceled once Temporal has asked it to. After a
// reset, or a restored Temporal, that request is not in its history: it is made again.

import type { Store } from '../store/database/access.ts';
import { cancelAgain } from '../store/runs/continue-run.ts';

interface RepeatsCancelDeps {
  readonly store: Store;
  /** A line waits to be sent. */
  readonly onReleased: () => void;
}

interface Request {
  readonly runId: string;
  readonly settlement?: { readonly kind: string };
}
type Found = { readonly status?: string } | undefined;

export function repeatsCancel({ store, onReleased }: RepeatsCancelDeps) {
  return <R extends Request, Result>(activity: (request: R) => Promise<Result>) =>
    async (request: R): Promise<Result> => {
      const result = await activity(request);
      // Temporal has asked a workflow that settles its run as cancelled.
      const asked = request.settlement?.kind === 'CANCELLED';
      if (asked || (result as Found)?.status !== 'CANCELLED') return result;
      // The activity has its result even if this fails: the reconciler looks as well.
      const added = await store.asWorker((tx) => cancelAgain(tx, request.runId)).catch(() => false);
      if (added) onReleased();
      return result;
    };
}
