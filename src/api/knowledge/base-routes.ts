// Bases of documents of the caller's org. One of another org is one that is not there.

import { z } from 'zod';
import { v7 } from 'uuid';
import { AppError } from '../../contract/errors.ts';
import { BasePageSchema, BaseSchema, NewBaseSchema } from '../../contract/knowledge.ts';
import type { StoreTransaction } from '../../store/database/access.ts';
import {
  createBase,
  deleteBase,
  findBase,
  listBases,
  type BaseRecord,
} from '../../store/knowledge/bases.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { presentBase } from './present.ts';

export const KNOWLEDGE_PATH = '/api/knowledge';
const CURSOR = defineCursor('bases', [z.string().min(1).max(100)]);
const PageQuery = z.strictObject(pageQuery(CURSOR));
const BASE_BODY_MAX_BYTES = 16_384;

export async function foundBase(
  tx: StoreTransaction,
  orgId: string,
  baseId: string,
): Promise<BaseRecord> {
  const base = await findBase(tx, orgId, baseId);
  if (base === undefined) throw new AppError('NOT_FOUND', 'There is no such base.');
  return base;
}

type Deps = Pick<AppDeps, 'store' | 'nudgeDocuments'>;

export const baseRoutes = (deps: Deps): readonly Route[] => [
  createBaseRoute(deps),
  listBasesRoute(deps),
  readBaseRoute(deps),
  deleteBaseRoute(deps),
];

const createBaseRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'POST',
    path: KNOWLEDGE_PATH,
    scope: 'knowledge:write',
    id: 'createBase',
    tag: 'knowledge',
    summary: 'Make a base',
    description: 'Agents search the bases that their file names, of the org of the run.',
    answers: { 201: { description: 'Made.', schema: BaseSchema, headers: ['Location'] } },
    refusals: ['BASE_EXISTS'],
    body: { schema: NewBaseSchema, maxBytes: BASE_BODY_MAX_BYTES },
    handle: async ({ caller, body }) => {
      const { orgId, subject } = caller;
      const base = {
        ...{ orgId, baseKey: v7(), baseId: body.id, name: body.name, createdBy: subject },
        description: body.description ?? null,
      };
      const made = await store.asOrg(orgId, (tx) => createBase(tx, base));
      if (made === undefined)
        throw new AppError('BASE_EXISTS', `There is a base "${body.id}" already.`);
      return {
        status: 201,
        headers: { Location: `${KNOWLEDGE_PATH}/${made.baseId}` },
        body: presentBase(made),
      };
    },
  });

const listBasesRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: KNOWLEDGE_PATH,
    scope: 'knowledge:read',
    id: 'listBases',
    tag: 'knowledge',
    summary: 'The org’s bases, newest first',
    answers: { 200: pageNote(BasePageSchema) },
    query: PageQuery,
    handle: async ({ caller, query }) => {
      const page = await store.asOrg(caller.orgId, (tx) =>
        listBases(tx, caller.orgId, wanted(query)),
      );
      return pageAnswer(KNOWLEDGE_PATH, query, CURSOR, page, presentBase);
    },
  });

const readBaseRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: `${KNOWLEDGE_PATH}/:baseId`,
    scope: 'knowledge:read',
    id: 'readBase',
    tag: 'knowledge',
    summary: 'A base',
    answers: { 200: { description: 'The base.', schema: BaseSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => {
      const base = await store.asOrg(caller.orgId, (tx) =>
        foundBase(tx, caller.orgId, param('baseId')),
      );
      return { status: 200, body: presentBase(base) };
    },
  });

const deleteBaseRoute = ({ store, nudgeDocuments = () => undefined }: Deps): Route =>
  defineRoute({
    method: 'DELETE',
    path: `${KNOWLEDGE_PATH}/:baseId`,
    scope: 'knowledge:write',
    id: 'deleteBase',
    tag: 'knowledge',
    summary: 'Delete a base with its documents',
    description: 'Its id is free again at once. What is being taken in is cancelled.',
    answers: { 204: { description: 'It is gone, or was never there.' } },
    handle: async ({ caller, param }) => {
      const { orgId, subject } = caller;
      await store.asOrg(orgId, (tx) => deleteBase(tx, orgId, param('baseId'), subject));
      nudgeDocuments();
      return { status: 204 };
    },
  });
