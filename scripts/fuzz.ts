// `npm run fuzz -- [requests] [seed]`: 5,000 requests made from the OpenAPI document, against the
// API over a store in memory, as the test does with a tenth of them; and a tenth as many draws of each
// kind of hostile sizes. The seed is printed; the same one makes the same requests.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [requests = '5000', seed] = process.argv.slice(2);
const root = fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  [
    `${root}node_modules/mocha/bin/mocha.js`,
    'test/api/fuzz.test.ts',
    'test/api/fuzz-sizes.test.ts',
    '--timeout',
    '0',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      FUZZ_REQUESTS: requests,
      ...(seed === undefined ? {} : { FUZZ_SEED: seed }),
    },
  },
);
process.exitCode = status ?? 1;
