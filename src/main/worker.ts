// `npm run worker`: a worker alone. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./run-worker.ts'));
