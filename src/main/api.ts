// `npm run api`: the API alone. Loads the rest only after the stop signal is listened for.

import { runEntry } from './entry.ts';

await runEntry(() => import('./serve-api.ts'));
