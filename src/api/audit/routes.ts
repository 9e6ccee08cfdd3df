// The audit of an org, for its admins.

import { z } from 'zod';
import { AuditPageSchema, type AuditLineSchema } from '../../contract/audit.ts';
import { RUN_ID } from '../../contract/names.ts';
import { SubjectSchema } from '../../contract/subject.ts';
import { listAudit, type AuditEntry } from '../../store/queries/audit-lines.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { timeOf } from '../http/query-fields.ts';
import { defineRoute, type Route } from '../http/route.ts';

const CURSOR = defineCursor('audit', [z.string().regex(/^[1-9]\d{0,15}$/)]);
const ACTION_WORDING = 'must be an action, such as call.dispatched';
const AuditQuery = z.strictObject({
  runId: z
    .string()
    .regex(RUN_ID, 'must be a run’s id')
    .optional()
    .meta({ description: 'About this run.' }),
  actor: SubjectSchema.optional().meta({ description: 'By this actor.' }),
  action: z
    .string(ACTION_WORDING)
    .regex(/^[a-z_.]{1,100}$/, ACTION_WORDING)
    .optional()
    .meta({ description: 'This action alone.' }),
  from: timeOf('from', 'Written'),
  to: timeOf('to', 'Written'),
  ...pageQuery(CURSOR),
});

export const auditRoutes = ({ store }: Pick<AppDeps, 'store'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/api/audit',
    scope: 'admin',
    id: 'listAudit',
    tag: 'audit',
    summary: 'Who did what in the org, newest first',
    description:
      'Filters combine. Whether the lines are as they were written, `npm run verify-audit` says.',
    query: AuditQuery,
    answers: { 200: pageNote(AuditPageSchema) },
    handle: async ({ caller, query }) => {
      const lines = await store.asOrg(caller.orgId, (tx) =>
        listAudit(tx, caller.orgId, query, wanted(query)),
      );
      return pageAnswer('/api/audit', query, CURSOR, lines, present);
    },
  }),
];

const present = ({
  id,
  at,
  runId,
  actor,
  action,
  data,
}: AuditEntry): z.infer<typeof AuditLineSchema> => ({
  ...{ id, at: at.toISOString(), runId, actor, action },
  data: data as Readonly<Record<string, unknown>>,
});
