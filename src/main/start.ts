// What `npm start` runs: API, worker and what development needs, in one process. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./start-all.ts'));
