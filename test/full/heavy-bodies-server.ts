// The API over a store in memory, in a process of its own: what a client does beside it does not
// count as its time. Says where it listens and with which tokens, and ends with its parent.

import { newOrg, startApiRig, token } from '../api/api-rig.ts';

const { url } = await startApiRig();
const [heavy, other] = await Promise.all(
  ['mallory', 'ada'].map((user) => token(user, { org: newOrg() })),
);
process.on('disconnect', () => process.exit(0));
process.send?.({ url, heavy, other });
