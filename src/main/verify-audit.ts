// `npm run verify-audit`. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./verify-audit-lines.ts'));
