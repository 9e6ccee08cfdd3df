// `npm run temporal-changed`. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./accept-temporal.ts'));
