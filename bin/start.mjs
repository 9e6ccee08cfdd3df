#!/usr/bin/env node
// `npm start`: installs what is missing, builds the console, then runs src/main/start.ts in this same process, so that
// there is one to signal.

import { checkNode, install } from './install.mjs';

checkNode();
await install({ withDev: false });
const { buildConsole } = await import('../console/build.mjs');
await buildConsole();
const { register } = await import('tsx/esm/api');
register();
await import('../src/main/start.ts');
