// `npm run reembed`: gives every passage that is searched a vector of the present EMBEDDING_MODEL.
// Goes on where it was stopped, since what has one is left out. With the embedded database it runs
// while nothing else does.

import { setTimeout as sleep } from 'node:timers/promises';
import { textToEmbed } from '../knowledge/text-to-embed.ts';
import { EmbeddingError, type Embedder } from '../models/embedder.ts';
import type { Store } from '../store/database/access.ts';
import {
  countWithoutVector,
  keepVectors,
  passagesOfOtherModels,
  vectorsThere,
} from '../store/knowledge/vectors.ts';
import { embedderOf } from './embedder.ts';
import { openStoreAlone } from './own-data-dir.ts';
import { openProcess, settings } from './process.ts';

const AT_ONCE = 64;
const TRIES = 10;
const WAIT_MAX_MS = 30_000;

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('reembed', settings('reembed'), stopping, async (process) => {
    const { config } = process;
    const embedder = embedderOf(config);
    if (embedder === undefined)
      throw new Error('EMBEDDING_MODEL must be set: it names the model that makes the vectors.');
    const store = await openStoreAlone(process);
    if (!(await store.asWorker(vectorsThere)))
      throw new Error('The database has no pgvector of version 0.8 or newer.');
    const done = await reembed(store, embedder, stopping, (line) => console.log(line));
    console.log(`${done} passages have got a vector of the model ${embedder.model}.`);
  });

/** How many were given one. */
export async function reembed(
  store: Store,
  embedder: Embedder,
  stopping: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  const { model } = embedder;
  const total = await store.asWorker((tx) => countWithoutVector(tx, model));
  let done = 0;
  for (let after = ''; ;) {
    stopping.throwIfAborted();
    const from = after;
    const some = await store.asWorker((tx) => passagesOfOtherModels(tx, model, from, AT_ONCE));
    const last = some.at(-1);
    if (last === undefined) return done;
    const vectors = await patiently(embedder, some.map(textToEmbed), stopping);
    await store.asWorker((tx) =>
      keepVectors(
        tx,
        model,
        some.map(({ passageId }, i) => ({ passageId, values: vectors[i] ?? [] })),
      ),
    );
    done += some.length;
    after = last.passageId;
    print(`${done} of ${total}`);
  }
}

async function patiently(
  { embed }: Embedder,
  texts: readonly string[],
  stopping: AbortSignal,
): Promise<readonly (readonly number[])[]> {
  for (let tries = 1; ; tries++)
    try {
      return await embed(texts, stopping);
    } catch (error) {
      if (!(error instanceof EmbeddingError) || error.fault === 'REFUSED' || tries === TRIES)
        throw error;
      await sleep(error.afterMs ?? Math.min(WAIT_MAX_MS, 500 * 2 ** tries), undefined, {
        signal: stopping,
      });
    }
}
