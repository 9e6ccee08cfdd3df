// A workflow that finds its run cancelled closes as Canceled once Temporal has asked it to. After a
// reset, or a restored Temporal, that request is not in its history: it is made again.

import type { Store } from '../store/database/access.ts';
import { cancelAgain } from '../store/runs/continue-run.ts';

interface TellsCancelDeps {
  readonly store: Store;
  /** A line waits to be sent. */
  readonly onReleased: () => void;
}

interface Request {
  readonly runId: string;
  readonly settlement?: { readonly kind: string };
}
type Found = { readonly status?: string } | undefined;

export function tellsCancel({ store, onReleased }: TellsCancelDeps) {
  return <R extends Request, Result>(activity: (request: R) => Promise<Result>) =>
    async (request: R): Promise<Result> => {
      const result = await activity(request);
      // Who settles it so has been asked to.
      const asked = request.settlement?.kind === 'CANCELLED';
      if (asked || (result as Found)?.status !== 'CANCELLED') return result;
      // Whatever comes of this, the activity has its result: the reconciler comes by as well.
      const told = await store.asWorker((tx) => cancelAgain(tx, request.runId)).catch(() => false);
      if (told) onReleased();
      return result;
    };
}
