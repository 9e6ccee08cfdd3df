#!/usr/bin/env node
// `npm start`: installs what is missing, builds the console, then runs src/main/start.ts in this same process, so that
// there is one to signal.

import { checkNode, install } from './install.mjs';

checkNode();
await install({ withDev: false });
// Nothing is open yet that would have to be closed; src/main/entry.ts takes over.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(0));
const { buildConsole } = await import('../console/build.mjs');
await buildConsole();
const { register } = await import('tsx/esm/api');
register();
await import('../src/main/start.ts');
