// A line of the audit, as admins read it.

import { z } from 'zod';
import { pageOf } from './page.ts';

export const AuditLineSchema = z
  .object({
    id: z.int().positive(),
    at: z.iso.datetime({ offset: true }),
    runId: z.string().nullable().meta({ description: 'null where it is about no run.' }),
    actor: z.string().meta({
      description: 'The `sub` of a token, `operator`, `expiry`, or the part of the service.',
    }),
    action: z.string().meta({ description: 'Such as `call.dispatched`.' }),
    data: z
      .record(z.string(), z.unknown())
      .meta({ description: 'Ids, hashes and words of ours; never the text of a message.' }),
  })
  .meta({ id: 'AuditLine', description: 'Who did what, written in the transaction that did it.' });
export const AuditPageSchema = pageOf('AuditPage', AuditLineSchema);
