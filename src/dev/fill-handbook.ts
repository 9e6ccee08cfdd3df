// The base that the shipped handbook_agent answers from: filled once, at the first start. Who
// deletes it, or a document of it, is not given it again.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { v7 } from 'uuid';
import type { Store } from '../store/database/access.ts';
import { createBase } from '../store/knowledge/bases.ts';
import { giveDocument, type NewDocument } from '../store/knowledge/documents.ts';

export const HANDBOOK_AGENT = 'handbook_agent';
const BASE_ID = 'handbook';
const FOLDER = fileURLToPath(new URL('../../examples/handbook/', import.meta.url));
/** In the data folder: the base was filled. */
const MARK = 'handbook-filled';

export interface HandbookParts {
  readonly store: Store;
  readonly dataDir: string;
  readonly orgId: string;
  readonly userId: string;
  /** What was given is taken in now. */
  readonly nudge: () => void;
}

export async function fillHandbook(parts: HandbookParts): Promise<void> {
  const mark = join(parts.dataDir, MARK);
  if (existsSync(mark)) return;
  const { store, orgId, userId: createdBy } = parts;
  const made = await store.asOrg(orgId, (tx) =>
    createBase(tx, {
      ...{ baseKey: v7(), orgId, baseId: BASE_ID, createdBy, name: 'Handbook' },
      description: 'How work with Holdpoint goes: a small example.',
    }),
  );
  // A base of that name that a user made stays as it is.
  if (made !== undefined)
    for (const fileName of readdirSync(FOLDER).filter((name) => name.endsWith('.md'))) {
      const bytes = readFileSync(join(FOLDER, fileName));
      const title = /^# (.+)$/m.exec(bytes.toString())?.[1] ?? fileName;
      const document: NewDocument = {
        ...{ documentId: `doc_${v7()}`, orgId, baseKey: made.baseKey, title, externalId: null },
        createdBy,
        content: {
          kind: 'FILE',
          ...{ mediaType: 'text/markdown', fileName, packed: false, bytes },
          hash: createHash('sha256').update(bytes).digest('hex'),
        },
      };
      await store.asOrg(orgId, (tx) => giveDocument(tx, document));
    }
  writeFileSync(mark, '');
  parts.nudge();
}
