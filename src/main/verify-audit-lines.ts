// `npm run verify-audit`: says whether the audit is what was written; ends with 1 where it is not.
// With the embedded database it runs while nothing else does.

import { verifyAudit } from '../audit/verify.ts';
import { auditParts } from './audit-parts.ts';
import { openStoreAlone } from './own-data-dir.ts';
import { openProcess, settings } from './process.ts';

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('verify-audit', settings('verify-audit'), stopping, async (process) => {
    const parts = auditParts(process.config, { makes: true });
    if (parts === null)
      throw new Error(
        'AUDIT_KEY must be set: the seals were made with it, and are checked with it.',
      );
    const store = await openStoreAlone(process);
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
