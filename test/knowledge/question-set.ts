// Questions over documents that installed packages ship, each with the passage that answers it
// (questions.yaml): what a search is measured by. Read, split and stored as any document is.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { extract } from '../../src/knowledge/extract/extract.ts';
import { wordsOf } from '../../src/knowledge/words.ts';
import type { Store } from '../../src/store/database/access.ts';
import type { BaseRecord } from '../../src/store/knowledge/bases.ts';
import * as takeIn from '../../src/store/knowledge/take-in.ts';
import { giveDocument } from '../../src/store/knowledge/documents.ts';
import { LANGUAGES, UNKNOWN_LANGUAGE } from '../../src/knowledge/language.ts';

const SetSchema = z.record(
  z.string(),
  z.array(z.strictObject({ ask: z.string(), answer: z.string() })),
);

export interface Question {
  readonly document: string;
  readonly ask: string;
  /** Words of the passage which answers it; they stand nowhere else in its document. */
  readonly answer: string;
}

export interface QuestionSet {
  readonly documents: readonly string[];
  readonly questions: readonly Question[];
}

export function readQuestionSet(): QuestionSet {
  const text = readFileSync(new URL('./questions.yaml', import.meta.url), 'utf8');
  const set = SetSchema.parse(parse(text));
  return {
    documents: Object.keys(set),
    questions: Object.entries(set).flatMap(([document, asked]) =>
      asked.map((one) => ({ document, ...one })),
    ),
  };
}

const flat = (text: string): string => text.replace(/\s+/g, ' ');

export const answers = (text: string, { answer }: Question): boolean =>
  flat(text).includes(flat(answer));

export interface LearntDocument {
  readonly document: string;
  readonly documentId: string;
  readonly passages: readonly { readonly passageId: string; readonly body: string }[];
}

const PASSAGES_AT_ONCE = 100;

/** Takes a document of the set in, up to its vectors. */
export async function learn(
  store: Store,
  base: BaseRecord & { readonly orgId: string },
  document: string,
): Promise<LearntDocument> {
  const bytes = readFileSync(new URL(`../../node_modules/${document}`, import.meta.url));
  const fileName = basename(document);
  const mediaType = /\.md$/i.test(fileName) ? 'text/markdown' : 'text/plain';
  const extracted = await extract({ bytes, mediaType, fileName });
  const documentId = `doc_${createHash('sha256').update(document).digest('hex').slice(0, 20)}`;
  const { orgId, baseKey } = base;
  await store.asOrg(orgId, (tx) =>
    giveDocument(tx, {
      ...{ documentId, orgId, baseKey, title: document, externalId: null, createdBy: 'set' },
      content: { kind: 'FILE', mediaType, fileName, hash: documentId, packed: false, bytes },
    }),
  );
  const language = await store.asWorker((tx) =>
    takeIn.languageFor(tx, base, extracted.language, LANGUAGES, UNKNOWN_LANGUAGE),
  );
  const titleWords = wordsOf(document).join(' ');
  const passages = extracted.passages.map((p, n) => ({
    ...{ n, headings: p.headings, body: p.body, bodyWords: p.bodyWords },
    headingWords: `${titleWords} ${p.headingWords}`,
  }));
  for (let from = 0; from < passages.length; from += PASSAGES_AT_ONCE)
    await store.asWorker((tx) =>
      takeIn.keepPassages(
        tx,
        { documentId, orgId, baseKey },
        language,
        passages.slice(from, from + PASSAGES_AT_ONCE),
        0,
      ),
    );
  const split = { title: null, language, passages: passages.length };
  await store.asWorker((tx) => takeIn.noteSplit(tx, documentId, split));
  return {
    ...{ document, documentId },
    passages: passages.map(({ n, body }) => ({
      passageId: takeIn.passageIdOf(documentId, n),
      body,
    })),
  };
}

export interface Quality {
  /** Of how many questions one of the first five passages is the right one. */
  readonly recallAt5: number;
  /** The mean of 1 by the place of the first right one; 0 where it is not among the first ten. */
  readonly mrr: number;
  readonly missed: readonly string[];
}

/** `places`: where the first right passage stands for each question, from 1; undefined: nowhere. */
export function qualityOf(
  questions: readonly Question[],
  places: readonly (number | undefined)[],
): Quality {
  const mean = (values: readonly number[]): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  return {
    recallAt5: mean(places.map((place) => (place !== undefined && place <= 5 ? 1 : 0))),
    mrr: mean(places.map((place) => (place === undefined ? 0 : 1 / place))),
    missed: questions.filter((_, i) => (places[i] ?? Infinity) > 5).map((q) => q.ask),
  };
}
