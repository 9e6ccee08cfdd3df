#!/usr/bin/env node
// `npx holdpoint …`: the admin commands, from the sources as they are.

import { register } from 'tsx/esm/api';

register();
if (process.argv[2] === 'token') {
  process.argv.splice(2, 1);
  await import('../src/main/token.ts');
} else {
  const { runEntry } = await import('../src/main/entry.ts');
  await runEntry(() => import('../src/main/admin.ts'));
}
