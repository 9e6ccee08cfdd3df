// A question to passages: its words, its vector where one can be had in time, and the search that
// joins both. The same for the route and for the agent's tool.

import type { Embedder } from '../models/embedder.ts';
import type { Work } from '../store/database/access.ts';
import type { BaseRecord } from '../store/knowledge/bases.ts';
import { searchPassages, type Passage } from '../store/knowledge/search.ts';
import { vectorsThere, type WantedVector } from '../store/knowledge/vectors.ts';
import { distinctWords } from './words.ts';

/** A search without meaning is better than one that is waited for. */
const VECTOR_WITHIN_MS = 4000;

export interface Finding {
  readonly embedder?: Embedder | undefined;
  /** As the caller's org. */
  readonly inStore: <T>(work: Work<T>) => Promise<T>;
}

export interface Question {
  readonly orgId: string;
  readonly bases: readonly BaseRecord[];
  readonly question: string;
  readonly limit: number;
}

export async function findPassages(
  { embedder, inStore }: Finding,
  { question, ...wanted }: Question,
  signal: AbortSignal,
): Promise<{ readonly passages: readonly Passage[]; readonly mode: 'hybrid' | 'text' }> {
  const vector =
    embedder !== undefined && wanted.bases.length > 0 && (await inStore(vectorsThere))
      ? await vectorOf(embedder, question, signal)
      : undefined;
  const words = distinctWords(question);
  const passages = await inStore((tx) => searchPassages(tx, { ...wanted, words, vector }));
  return { passages, mode: vector === undefined ? 'text' : 'hybrid' };
}

async function vectorOf(
  { model, embed }: Embedder,
  question: string,
  signal: AbortSignal,
): Promise<WantedVector | undefined> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(VECTOR_WITHIN_MS)]);
    const [values] = await embed([question], within);
    return values && { model, values };
  } catch {
    // The server is away or too slow: words alone, and the answer says so.
    signal.throwIfAborted();
    return undefined;
  }
}
