// What is remembered of a user: one's own, or another user's with runs:impersonate. A memory that
// one may not see is one that is not there.

import { z } from 'zod';
import { v7 } from 'uuid';
import { AppError } from '../../contract/errors.ts';
import {
  MemoryPageSchema,
  MemorySchema,
  NewMemorySchema,
  type Memory,
} from '../../contract/knowledge.ts';
import { SubjectSchema } from '../../contract/subject.ts';
import { storable } from '../../json/storable.ts';
import { visibleText } from '../../knowledge/visible-text.ts';
import {
  deleteMemoriesOf,
  deleteMemory,
  findMemories,
  keepMemory,
  listMemories,
  MEMORIES_MAX,
  readMemory,
  type MemoryRecord,
} from '../../store/memories/memories.ts';
import { requireScope, type Caller } from '../auth/caller.ts';
import type { AppDeps } from '../deps.ts';
import {
  defineCursor,
  LIMIT_DEFAULT,
  pageAnswer,
  pageNote,
  pageQuery,
  wanted,
} from '../http/page.ts';
import { defineRoute, type Route } from '../http/route.ts';

const PATH = '/api/memories';
const CURSOR = defineCursor('memories', [z.string().min(1).max(100)]);
const MEMORY_BODY_MAX_BYTES = 32 * 1024;
const QUERY_MAX_CHARS = 2000;

const USER = SubjectSchema.optional().meta({
  description: 'Of this user. Default: the caller; another one needs `runs:impersonate`.',
});
const ListQuery = z.strictObject({
  userId: USER,
  query: z
    .string('must be given once')
    .max(QUERY_MAX_CHARS, `must be at most ${QUERY_MAX_CHARS} characters long`)
    .refine((text) => text.trim() !== '', 'must not be blank')
    .refine((text) => !/\0|\p{Cs}/u.test(text), 'holds a character that no text may hold')
    .optional()
    .meta({ description: 'The nearest to these words, best first, on one page.' }),
  ...pageQuery(CURSOR),
});
const UserQuery = z.strictObject({ userId: USER });

const presentMemory = (m: MemoryRecord): Memory => ({
  memoryId: m.memoryId,
  userId: m.userId,
  content: m.content,
  createdAt: m.createdAt.toISOString(),
  updatedAt: m.updatedAt.toISOString(),
});

/** Whose memories are meant; the right to them is asked for. */
function userOf(caller: Caller, userId = caller.subject): string {
  if (userId !== caller.subject) requireScope(caller, 'runs:impersonate');
  return userId;
}

type Deps = Pick<AppDeps, 'store'>;

export const memoryRoutes = (deps: Deps): readonly Route[] => [
  listMemoriesRoute(deps),
  createMemoryRoute(deps),
  deleteMemoriesRoute(deps),
  deleteMemoryRoute(deps),
];

const listMemoriesRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: PATH,
    scope: 'runs:read',
    id: 'listMemories',
    tag: 'memories',
    summary: 'What is remembered of a user, newest first',
    answers: { 200: pageNote(MemoryPageSchema) },
    query: ListQuery,
    handle: async ({ caller, query }) => {
      const { orgId } = caller;
      const userId = userOf(caller, query.userId);
      const { query: question } = query;
      const page = await store.asOrg(orgId, async (tx) =>
        question === undefined
          ? listMemories(tx, orgId, userId, wanted(query))
          : {
              items: await findMemories(tx, orgId, userId, question, query.limit ?? LIMIT_DEFAULT),
              // One page: what is nearest has no place to go on from.
              places: [],
              hasMore: false,
              end: undefined,
            },
      );
      return pageAnswer(PATH, query, CURSOR, page, presentMemory);
    },
  });

const createMemoryRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'POST',
    path: PATH,
    scope: 'runs:write',
    id: 'createMemory',
    tag: 'memories',
    summary: 'Have a fact remembered',
    description:
      'A fact that stands already is not added again. One that says something else of the same thing takes its place.',
    answers: {
      200: { description: 'It stands already.', schema: MemorySchema },
      201: { description: 'Kept.', schema: MemorySchema, headers: ['Location'] },
    },
    refusals: ['TOO_MANY_MEMORIES'],
    body: { schema: NewMemorySchema, maxBytes: MEMORY_BODY_MAX_BYTES },
    handle: async ({ caller, body }) => {
      const { orgId, subject } = caller;
      const memory = {
        ...{ memoryId: `mem_${v7()}`, orgId, createdBy: subject },
        userId: userOf(caller, body.userId),
        content: visibleText(storable(body.content).text).trim(),
      };
      const kept = await store.asOrg(orgId, (tx) => keepMemory(tx, memory));
      if (kept.kind === 'FULL' || kept.kind === 'GONE')
        throw new AppError(
          'TOO_MANY_MEMORIES',
          `A user has at most ${MEMORIES_MAX} memories. Delete some that are not needed.`,
        );
      return kept.kind === 'KNOWN'
        ? { status: 200, body: presentMemory(kept.memory) }
        : {
            status: 201,
            headers: { Location: `${PATH}/${kept.memory.memoryId}` },
            body: presentMemory(kept.memory),
          };
    },
  });

const deleteMemoriesRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'DELETE',
    path: PATH,
    scope: 'runs:write',
    id: 'deleteMemories',
    tag: 'memories',
    summary: 'Forget everything of a user',
    answers: { 204: { description: 'Nothing is remembered any more.' } },
    query: UserQuery,
    handle: async ({ caller, query }) => {
      const { orgId, subject: actor } = caller;
      const userId = userOf(caller, query.userId);
      await store.asOrg(orgId, (tx) => deleteMemoriesOf(tx, { orgId, actor }, userId));
      return { status: 204 };
    },
  });

const deleteMemoryRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'DELETE',
    path: `${PATH}/:memoryId`,
    scope: 'runs:write',
    id: 'deleteMemory',
    tag: 'memories',
    summary: 'Forget one thing',
    description:
      'One of another user needs `runs:impersonate`, and is else as one that is not there.',
    answers: { 204: { description: 'It is forgotten, or was never there.' } },
    handle: async ({ caller, param }) => {
      const { orgId, subject: actor } = caller;
      await store.asOrg(orgId, async (tx) => {
        const memory = await readMemory(tx, orgId, param('memoryId'));
        const mayTouch = memory?.userId === actor || caller.scopes.has('runs:impersonate');
        if (memory !== undefined && mayTouch)
          await deleteMemory(tx, { orgId, actor }, memory.userId, memory.memoryId);
      });
      return { status: 204 };
    },
  });
