// `npm run reembed`. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./reembed-documents.ts'));
