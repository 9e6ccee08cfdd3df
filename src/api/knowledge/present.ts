// The only way from a base, a document and a passage to JSON.

import type { Base, DocumentAnswer } from '../../contract/knowledge.ts';
import type { BaseRecord } from '../../store/knowledge/bases.ts';
import type { DocumentRecord } from '../../store/knowledge/documents.ts';
import type { Passage } from '../../store/knowledge/search.ts';

export const presentBase = (base: BaseRecord): Base => ({
  id: base.baseId,
  name: base.name,
  ...(base.description === null ? {} : { description: base.description }),
  createdAt: base.createdAt.toISOString(),
});

export const presentDocument = (d: DocumentRecord): DocumentAnswer => ({
  documentId: d.documentId,
  title: d.title,
  status: d.status,
  ...(d.status === 'PROCESSING' ? { progress: Math.round(d.progress * 1000) / 1000 } : {}),
  ...(d.status === 'FAILED'
    ? { error: { code: d.errorCode ?? 'INTERNAL', message: d.errorMessage ?? '' } }
    : {}),
  ...(d.externalId === null ? {} : { externalId: d.externalId }),
  createdAt: d.createdAt.toISOString(),
});

export const presentPassage = ({ documentId, title, passageId, text, score }: Passage) => ({
  documentId,
  title,
  passageId,
  text,
  score,
});
