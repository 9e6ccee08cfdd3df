// How well searches find what answers a question: `npm run bench:recall`. The questions are those of
// test/knowledge/questions.yaml; recall@5 and mean reciprocal rank by words, by vectors of a real
// embedding model and by both, side by side. Without such a model, words alone.

import { textToEmbed } from '../src/knowledge/text-to-embed.ts';
import { distinctWords } from '../src/knowledge/words.ts';
import type { Embedder } from '../src/models/embedder.ts';
import { searchPassages } from '../src/store/knowledge/search.ts';
import { publishDocument } from '../src/store/knowledge/take-in.ts';
import {
  keepVectors,
  nearestPassages,
  passagesToEmbed,
  type WantedVector,
} from '../src/store/knowledge/vectors.ts';
import { openBench } from '../test/store/fixture.ts';
import { knowing } from '../test/store/knowledge-contract.ts';
import { answers, learn, qualityOf, readQuestionSet } from '../test/knowledge/question-set.ts';
import { startLocalEmbeddings } from './local-embeddings.ts';

const AT_ONCE = 32;
const LOOKED_AT = 10;
const never = new AbortController().signal;

const set = readQuestionSet();
const local = await startLocalEmbeddings().catch((error: unknown) => {
  console.log(`No embedding model can be had here: ${String(error)}. Words alone.`);
  return undefined;
});
const bench = await openBench();
try {
  const s = knowing(bench.store, 'acme');
  const base = { ...(await s.base()), orgId: s.orgId };
  /** Text and document of each passage. */
  const passages = new Map<string, { readonly document: string; readonly text: string }>();
  for (const document of set.documents) {
    const learnt = await learn(bench.store, base, document);
    for (const { passageId, body } of learnt.passages)
      passages.set(passageId, { document, text: body });
    if (local !== undefined) await embedAll(learnt.documentId, local.embedder);
    await bench.store.asWorker((tx) => publishDocument(tx, learnt.documentId));
  }

  const ways = {
    words: (ask: string) => search(ask),
    vectors: async (_: string, vector: WantedVector) =>
      s.asOrg((tx) => nearestPassages(tx, s.orgId, [base.baseKey], vector, LOOKED_AT)),
    both: (ask: string, vector: WantedVector) => search(ask, vector),
  };
  const search = async (ask: string, vector?: WantedVector): Promise<readonly string[]> => {
    const wanted = { orgId: s.orgId, bases: [base], words: distinctWords(ask), limit: LOOKED_AT };
    const found = await s.asOrg((tx) => searchPassages(tx, { ...wanted, vector }));
    return found.map((passage) => passage.passageId);
  };

  const asked =
    local === undefined
      ? undefined
      : await local.embedder.embed(
          set.questions.map((question) => question.ask),
          never,
        );
  console.log(
    `${set.questions.length} questions, ${set.documents.length} documents, ${passages.size} passages\n`,
  );
  console.log('|  | recall@5 | MRR |\n| --- | --- | --- |');
  for (const [name, find] of Object.entries(ways)) {
    if (asked === undefined && name !== 'words') continue;
    const places = [];
    for (const [i, question] of set.questions.entries()) {
      const vector = { model: local?.embedder.model ?? '', values: asked?.[i] ?? [] };
      const found = await find(question.ask, vector);
      const at = found.findIndex((id) => {
        const passage = passages.get(id);
        return passage?.document === question.document && answers(passage.text, question);
      });
      places.push(at === -1 ? undefined : at + 1);
    }
    const { recallAt5, mrr, missed } = qualityOf(set.questions, places);
    console.log(`| ${name} | ${recallAt5.toFixed(3)} | ${mrr.toFixed(3)} |`);
    if (process.env['VERBOSE']) for (const ask of missed) console.log(`   missed: ${ask}`);
  }
} finally {
  local?.stop();
  await bench.close();
}

async function embedAll(documentId: string, { model, embed }: Embedder): Promise<void> {
  for (;;) {
    const some = await bench.store.asWorker((tx) =>
      passagesToEmbed(tx, documentId, model, AT_ONCE),
    );
    if (some.length === 0) return;
    const vectors = await embed(some.map(textToEmbed), never);
    await bench.store.asWorker((tx) =>
      keepVectors(
        tx,
        model,
        some.map(({ passageId }, i) => ({ passageId, values: vectors[i] ?? [] })),
      ),
    );
  }
}
