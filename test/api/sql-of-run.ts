// Rows as no run of the rig makes them: changed in the database itself, as the worker.

import type { RawBuilder } from 'kysely';
import type { Store } from '../../src/store/database/access.ts';

export const sqlOfRun = (store: Store, statement: RawBuilder<unknown>): Promise<unknown> =>
  store.asWorker((tx) => statement.execute(tx.db));
