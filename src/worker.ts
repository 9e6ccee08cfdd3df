// The worker's entry under the name that Temporal's samples use. It is main/worker.ts.

import './main/worker.ts';
