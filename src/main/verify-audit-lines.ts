// `npm run verify-audit`: says whether the audit is what was written; ends with 1 where it is not.
// With the embedded database it runs while nothing else does.

import { join } from 'node:path';
import { verifyAudit } from '../audit/verify.ts';
import { lockDataDir } from '../data-dir-lock.ts';
import { openDataDir } from '../data-dir.ts';
import { auditParts } from './audit-parts.ts';
import { openProcess, settings } from './process.ts';

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('verify-audit', settings('verify-audit'), stopping, async (process) => {
    const { config } = process;
    const parts = auditParts(config, { makes: true });
    if (parts === null)
      throw new Error(
        'AUDIT_KEY must be set: the seals were made with it, and are checked with it.',
      );
    if (config.databaseUrl === null) {
      openDataDir(config.dataDir);
      const locked = lockDataDir(config.dataDir);
      if (!locked.ok) throw new Error(locked.problem);
      process.onClose(() => locked.lock.release());
    }
    const store = await process.openStore(join(config.dataDir, 'database'));
    const { sealed, unsealed, anchored, problems } = await verifyAudit(
      store,
      parts.key,
      parts.anchor,
    );
    console.log(
      `${sealed} lines are sealed, ${unsealed} not yet; ${anchored} heads of the chain were kept outside the database.`,
    );
    for (const problem of problems) console.log(problem);
    if (problems.length > 0)
      throw new Error(`The audit is not what was written: ${problems.length} problems.`);
    console.log('The audit is what was written.');
  });
