// Documents of a base: given, listed, read, deleted. They are taken in behind the answer.

import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { v7 } from 'uuid';
import { AppError, fieldRefused } from '../../contract/errors.ts';
import {
  DOCUMENT_MAX_BYTES,
  DocumentPageSchema,
  DocumentSchema,
  GivenDocumentSchema,
  NewDocumentSchema,
  UploadFieldsSchema,
  type NewDocumentBody,
} from '../../contract/knowledge.ts';
import { publicAddresses, type PublicAddresses } from '../../egress/public-address.ts';
import { storable } from '../../json/storable.ts';
import { kindOf, TAKEN_TYPES } from '../../knowledge/extract/media-type.ts';
import { findBase } from '../../store/knowledge/bases.ts';
import {
  deleteDocument,
  findDocument,
  giveDocument,
  listDocuments,
  type DocumentContent,
} from '../../store/knowledge/documents.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { Upload } from '../http/upload.ts';
import { foundBase, KNOWLEDGE_PATH } from './base-routes.ts';
import { presentDocument } from './present.ts';

const PATH = `${KNOWLEDGE_PATH}/:baseId/documents`;
const CURSOR = defineCursor('documents', [z.string().min(1).max(100)]);
const PageQuery = z.strictObject(pageQuery(CURSOR));
/** Beside the text itself. */
const JSON_AROUND_BYTES = 64 * 1024;
const TITLE_MAX_CHARS = 300;

const pack = promisify(gzip);
const noSuchDocument = (): AppError => new AppError('NOT_FOUND', 'There is no such document.');
const pathOf = (baseId: string): string => `${KNOWLEDGE_PATH}/${baseId}/documents`;

interface Given {
  readonly title: string;
  readonly externalId: string | null;
  readonly content: DocumentContent;
}

type Deps = Pick<AppDeps, 'store' | 'egressAllow' | 'nudgeDocuments'>;

export const documentRoutes = (deps: Deps): readonly Route[] => [
  giveDocumentRoute(deps),
  listDocumentsRoute(deps),
  readDocumentRoute(deps),
  deleteDocumentRoute(deps),
];

const giveDocumentRoute = ({
  store,
  egressAllow = [],
  nudgeDocuments = () => undefined,
}: Deps): Route => {
  const addresses = publicAddresses(egressAllow);
  return defineRoute({
    method: 'POST',
    path: PATH,
    scope: 'knowledge:write',
    id: 'giveDocument',
    tag: 'knowledge',
    summary: 'Give a document',
    description:
      'A file in a form, a text, or an address that is fetched; text, Markdown, HTML and PDF of at most 20 MiB. It is searchable, whole, once its status is READY. The same content again, under the same external id or without one, is not taken in twice.',
    answers: {
      200: {
        description: 'The same content is there already, or on its way.',
        schema: GivenDocumentSchema,
        headers: ['Location'],
      },
      202: { description: 'Taken.', schema: GivenDocumentSchema, headers: ['Location'] },
    },
    refusals: ['NOT_FOUND'],
    body: {
      schema: NewDocumentSchema,
      maxBytes: DOCUMENT_MAX_BYTES + JSON_AROUND_BYTES,
      // A text has lines, and each end of one is an escape, which counts.
      countedMaxBytes: DOCUMENT_MAX_BYTES + JSON_AROUND_BYTES,
      upload: { maxBytes: DOCUMENT_MAX_BYTES, fields: UploadFieldsSchema },
    },
    handle: async ({ caller, body, upload, param }) => {
      const { orgId, subject } = caller;
      const baseId = param('baseId');
      const given = upload === undefined ? await fromJson(body, addresses) : await fromFile(upload);
      const documentId = `doc_${v7()}`;
      const taken = await store.asOrg(orgId, async (tx) => {
        const { baseKey } = await foundBase(tx, orgId, baseId);
        return giveDocument(tx, { ...given, documentId, orgId, baseKey, createdBy: subject });
      });
      if (taken === undefined) throw new AppError('NOT_FOUND', 'There is no such base.');
      nudgeDocuments();
      const { document } = taken;
      return {
        status: taken.taken ? 202 : 200,
        headers: { Location: `${pathOf(baseId)}/${document.documentId}` },
        body: { documentId: document.documentId, status: document.status },
      };
    },
  });
};

const listDocumentsRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: PATH,
    scope: 'knowledge:read',
    id: 'listDocuments',
    tag: 'knowledge',
    summary: 'Documents of a base, newest first',
    answers: { 200: pageNote(DocumentPageSchema) },
    refusals: ['NOT_FOUND'],
    query: PageQuery,
    handle: async ({ caller, query, param }) => {
      const page = await store.asOrg(caller.orgId, async (tx) => {
        const { baseKey } = await foundBase(tx, caller.orgId, param('baseId'));
        return listDocuments(tx, baseKey, wanted(query));
      });
      return pageAnswer(pathOf(param('baseId')), query, CURSOR, page, presentDocument);
    },
  });

const readDocumentRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: `${PATH}/:documentId`,
    scope: 'knowledge:read',
    id: 'readKnowledgeDocument',
    tag: 'knowledge',
    summary: 'A document as it stands',
    answers: { 200: { description: 'The document.', schema: DocumentSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => {
      const document = await store.asOrg(caller.orgId, async (tx) => {
        const base = await findBase(tx, caller.orgId, param('baseId'));
        return base && findDocument(tx, base.baseKey, param('documentId'));
      });
      if (document === undefined) throw noSuchDocument();
      return { status: 200, body: presentDocument(document) };
    },
  });

const deleteDocumentRoute = ({ store, nudgeDocuments = () => undefined }: Deps): Route =>
  defineRoute({
    method: 'DELETE',
    path: `${PATH}/:documentId`,
    scope: 'knowledge:write',
    id: 'deleteDocument',
    tag: 'knowledge',
    summary: 'Delete a document',
    description: 'One that is being taken in is cancelled.',
    answers: { 204: { description: 'It is gone, or was never there.' } },
    handle: async ({ caller, param }) => {
      const { orgId, subject } = caller;
      await store.asOrg(orgId, async (tx) => {
        const base = await findBase(tx, orgId, param('baseId'));
        if (base !== undefined)
          await deleteDocument(tx, orgId, base.baseKey, param('documentId'), subject);
      });
      nudgeDocuments();
      return { status: 204 };
    },
  });

async function fromJson(body: NewDocumentBody, addresses: PublicAddresses): Promise<Given> {
  const externalId = body.externalId ?? null;
  if ('url' in body) {
    const problem = addresses.problem(body.url);
    if (problem !== undefined) throw fieldRefused('url', problem);
    const { url } = body;
    // Until it is fetched, and says itself what it is called.
    return { title: url.slice(0, TITLE_MAX_CHARS), externalId, content: { kind: 'URL', url } };
  }
  const bytes = Buffer.from(body.text);
  return {
    title: body.title,
    externalId,
    content: await file(bytes, 'text/markdown; charset=utf-8', ''),
  };
}

async function fromFile({ file: given, fields }: Upload): Promise<Given> {
  const fileName = storable(given.fileName ?? '').text.slice(0, TITLE_MAX_CHARS);
  if (kindOf(given.mediaType, fileName) === undefined)
    throw new AppError(
      'UNSUPPORTED_MEDIA_TYPE',
      `A file of this type is not taken in: give one of ${TAKEN_TYPES}.`,
    );
  const { externalId } = UploadFieldsSchema.parse(fields);
  return {
    title: fileName.trim() === '' ? 'Untitled' : fileName,
    externalId: externalId ?? null,
    content: await file(given.bytes, storable(given.mediaType).text.slice(0, 200), fileName),
  };
}

async function file(bytes: Buffer, mediaType: string, fileName: string): Promise<DocumentContent> {
  const hash = createHash('sha256').update(bytes).digest('hex');
  const packed = await pack(bytes, { level: 1 });
  const smaller = packed.length < bytes.length;
  return {
    ...{ kind: 'FILE', mediaType, fileName, hash },
    ...(smaller ? { packed: true, bytes: packed } : { packed: false, bytes }),
  };
}
