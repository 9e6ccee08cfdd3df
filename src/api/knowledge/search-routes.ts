// A search of one base, as an agent's search_knowledge does it.

import { z } from 'zod';
import { SearchAnswerSchema } from '../../contract/knowledge.ts';
import { findPassages } from '../../knowledge/find-passages.ts';
import type { AppDeps } from '../deps.ts';
import { LIMIT } from '../http/page.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { foundBase, KNOWLEDGE_PATH } from './base-routes.ts';
import { presentPassage } from './present.ts';

const QUERY_MAX_CHARS = 2000;
const LIMIT_DEFAULT = 10;

const SearchQuery = z.strictObject({
  query: z
    .string('must be given once')
    .max(QUERY_MAX_CHARS, `must be at most ${QUERY_MAX_CHARS} characters long`)
    .refine((text) => text.trim() !== '', 'must not be blank')
    .refine((text) => !/\0|\p{Cs}/u.test(text), 'holds a character that no text may hold')
    .meta({ description: 'A question, or words.' }),
  limit: LIMIT,
});

export const searchRoutes = ({
  store,
  embedder,
}: Pick<AppDeps, 'store' | 'embedder'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: `${KNOWLEDGE_PATH}/:baseId/search`,
    scope: 'knowledge:read',
    id: 'searchBase',
    tag: 'knowledge',
    summary: 'Search a base',
    description:
      'Whole questions are answered as well as words. `mode` says whether meaning counted too: it does where `EMBEDDING_MODEL` is set, its server answers and the database has pgvector.',
    answers: { 200: { description: 'Passages.', schema: SearchAnswerSchema } },
    refusals: ['NOT_FOUND'],
    query: SearchQuery,
    handle: async ({ caller, query, param, gone }) => {
      const { orgId } = caller;
      const base = await store.asOrg(orgId, (tx) => foundBase(tx, orgId, param('baseId')));
      const { passages, mode } = await findPassages(
        { embedder, inStore: (work) => store.asOrg(orgId, work) },
        { orgId, bases: [base], question: query.query, limit: query.limit ?? LIMIT_DEFAULT },
        gone,
      );
      return { status: 200, body: { data: passages.map(presentPassage), mode } };
    },
  }),
];
