// A document's bytes, fetched where an address was given, read in a process of their own, and
// stored as passages, a few at a time. A repeated attempt reads the same bytes and finds the
// passages that are stored already.

import { Context } from '@temporalio/activity';
import { promisify } from 'node:util';
import { createHash } from 'node:crypto';
import { gunzip, gzip } from 'node:zlib';
import { readPublic, type PublicAnswer } from '../../egress/fetch-public.ts';
import { publicAddresses, type PublicAddresses } from '../../egress/public-address.ts';
import type { Extracted } from '../../knowledge/extract/extract.ts';
import { kindOf, TAKEN_TYPES } from '../../knowledge/extract/media-type.ts';
import { DocumentError } from '../../knowledge/extract/problem.ts';
import type { DocumentReader } from '../../knowledge/extract/reader.ts';
import { LANGUAGES, UNKNOWN_LANGUAGE } from '../../knowledge/language.ts';
import { wordsOf } from '../../knowledge/words.ts';
import { DOCUMENT_MAX_BYTES } from '../../contract/knowledge.ts';
import { storable } from '../../json/storable.ts';
import type { Store } from '../../store/database/access.ts';
import * as steps from '../../store/knowledge/take-in.ts';
import { endsDocument, failureOf, triedAgain } from '../failures.ts';
import { DocumentGoneError, watchDocument } from './watch-document.ts';

const [pack, unpack] = [promisify(gzip), promisify(gunzip)];

/** Some tens of milliseconds of the database; on the embedded one everybody waits that long. */
const PASSAGES_AT_ONCE = 60;
/** Of the way that is shown: read; and all passages stored, with vectors still to come or not. */
const READ = 0.1;
const STORED = 0.5;
const STORED_WITHOUT_VECTORS = 0.95;

const FETCH_MS = 60_000;
/** An address that does not answer is not waited for as long as a server of our own. */
const FETCHES = 4;

interface SplitDeps {
  readonly store: Store;
  readonly reader: DocumentReader;
  readonly embedder?: unknown;
  readonly egressAllow?: readonly string[];
}

export function createSplitDocument({ store, reader, embedder, egressAllow = [] }: SplitDeps) {
  const addresses = publicAddresses(egressAllow);
  const end = embedder === undefined ? STORED_WITHOUT_VECTORS : STORED;
  return async function splitDocument({ documentId }: { documentId: string }): Promise<void> {
    try {
      await watchDocument(store, documentId, async (signal) => {
        const found = await store.asWorker((tx) =>
          steps.readToTakeIn(tx, documentId, { withFile: true }),
        );
        if (found === undefined || found.passages > 0) return;
        const doc = found.file === null ? await fetched(store, addresses, found, signal) : found;
        await store.asWorker((tx) => steps.advance(tx, documentId, READ / 2));
        await keep(store, doc, await readFile(reader, doc, signal), end, signal);
      });
    } catch (error) {
      if (error instanceof DocumentError)
        throw endsDocument(error.failure.code, error.failure.message, error);
      throw failureOf(error);
    }
  };
}

async function readFile(
  reader: DocumentReader,
  { file, mediaType, fileName }: steps.ToTakeIn,
  signal: AbortSignal,
): Promise<Extracted> {
  if (file === null) throw new DocumentGoneError('its file is gone');
  const bytes = file.packed ? await unpack(file.bytes) : file.bytes;
  return reader.read({ bytes, mediaType: mediaType ?? '', fileName: fileName ?? '' }, signal);
}

async function keep(
  store: Store,
  doc: steps.ToTakeIn,
  { title, language: own, passages }: Extracted,
  end: number,
  signal: AbortSignal,
): Promise<void> {
  const { documentId } = doc;
  const language = await store.asWorker((tx) =>
    steps.languageFor(tx, doc, own, LANGUAGES, UNKNOWN_LANGUAGE),
  );
  // Of a document that was given without a title, the one that it gives itself.
  const named = doc.url === null ? null : (title ?? null);
  const titleWords = wordsOf(storable(named ?? doc.title).text).join(' ');
  for (let from = 0; from < passages.length; from += PASSAGES_AT_ONCE) {
    signal.throwIfAborted();
    const some = passages.slice(from, from + PASSAGES_AT_ONCE).map((p, i) => ({
      n: from + i,
      headings: storable(p.headings).text,
      body: storable(p.body).text,
      headingWords: `${titleWords} ${p.headingWords}`,
      bodyWords: p.bodyWords,
    }));
    const progress = READ + ((end - READ) * (from + some.length)) / passages.length;
    const kept = await store.asWorker((tx) =>
      steps.keepPassages(tx, doc, language, some, progress),
    );
    if (!kept) throw new DocumentGoneError('it is gone');
  }
  await store.asWorker((tx) =>
    steps.noteSplit(tx, documentId, { title: named, language, passages: passages.length }),
  );
}

/** What is fetched is stored before it is read, so that every attempt reads the same. */
async function fetched(
  store: Store,
  addresses: PublicAddresses,
  doc: steps.ToTakeIn,
  signal: AbortSignal,
): Promise<steps.ToTakeIn> {
  const answer = await readPublic({
    ...{ url: doc.url ?? '', addresses, signal, timeoutMs: FETCH_MS, maxBytes: DOCUMENT_MAX_BYTES },
    accept: 'text/html,application/xhtml+xml,application/pdf,text/markdown,text/plain;q=0.9',
  });
  signal.throwIfAborted();
  const { bytes, contentType, url } = usable(answer, Context.current().info.attempt);
  const fileName = new URL(url).pathname.split('/').at(-1) ?? '';
  if (kindOf(contentType, fileName) === undefined)
    throw new DocumentError(
      'UNSUPPORTED_TYPE',
      `What is found at the address is of a type that is not taken in: only ${TAKEN_TYPES} are.`,
    );
  const file = {
    mediaType: storable(contentType).text.slice(0, 200),
    fileName: storable(fileName).text.slice(0, 200),
    hash: createHash('sha256').update(bytes).digest('hex'),
    ...{ packed: true, bytes: await pack(bytes, { level: 1 }) },
  };
  if (!(await store.asWorker((tx) => steps.keepFetchedFile(tx, doc, file))))
    throw new DocumentGoneError('it is gone');
  return { ...doc, ...file, file };
}

/** An answer that holds a document; else the document fails, or the address is asked again. */
function usable(
  answer: PublicAnswer,
  attempt: number,
): Extract<PublicAnswer, { readonly kind: 'ANSWER' }> {
  if (answer.kind !== 'ANSWER') {
    if (answer.kind === 'FAILED' && attempt < FETCHES)
      throw triedAgain(`the address cannot be read: ${answer.why}`);
    throw new DocumentError('UNREACHABLE', `The address cannot be read: ${answer.why}.`);
  }
  const { status } = answer;
  if (status < 200 || status > 299) {
    if ((status === 429 || status >= 500) && attempt < FETCHES)
      throw triedAgain(`the address answers with the status ${status}`);
    throw new DocumentError('UNREACHABLE', `The address answers with the status ${status}.`);
  }
  if (answer.truncated)
    throw new DocumentError('TOO_LARGE', 'What is found at the address is larger than 20 MiB.');
  return answer;
}
