// `npm run after-restore`. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./report-restore.ts'));
