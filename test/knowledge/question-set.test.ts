// The questions that a search is measured by are sound, and full text alone answers most of them.

import assert from 'node:assert/strict';
import { distinctWords } from '../../src/knowledge/words.ts';
import { searchPassages } from '../../src/store/knowledge/search.ts';
import { publishDocument } from '../../src/store/knowledge/take-in.ts';
import { openBench, type Bench } from '../store/fixture.ts';
import { knowing } from '../store/knowledge-contract.ts';
import { answers, learn, qualityOf, readQuestionSet } from './question-set.ts';

/** As measured, less what a release of a package may change. `npm run bench:recall` prints it. */
const LEAST = { recallAt5: 0.5, mrr: 0.4 };

describe('the questions over documents that packages ship', function () {
  this.timeout(120_000);
  const set = readQuestionSet();
  const bodies = new Map<string, readonly string[]>();
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  it('are sixty or more over forty documents or more, each answered by one passage of its document; words alone find most of them', async () => {
    const s = knowing(bench.store, 'acme');
    const base = { ...(await s.base()), orgId: s.orgId };
    for (const document of set.documents) {
      const learnt = await learn(bench.store, base, document);
      bodies.set(
        document,
        learnt.passages.map((passage) => passage.body),
      );
      await bench.store.asWorker((tx) => publishDocument(tx, learnt.documentId));
    }
    assert.ok(set.questions.length >= 60 && set.documents.length >= 40);
    for (const question of set.questions) {
      const right = (bodies.get(question.document) ?? []).filter((body) => answers(body, question));
      // Two: the end of one passage is the beginning of the next.
      assert.ok(
        right.length === 1 || right.length === 2,
        `${question.document}: ${question.answer}`,
      );
    }
    const places = [];
    for (const question of set.questions) {
      const found = await s.asOrg((tx) =>
        searchPassages(tx, {
          ...{ orgId: s.orgId, bases: [base], words: distinctWords(question.ask), limit: 10 },
        }),
      );
      const at = found.findIndex(
        ({ title, text }) => title === question.document && answers(text, question),
      );
      places.push(at === -1 ? undefined : at + 1);
    }
    const { recallAt5, mrr, missed } = qualityOf(set.questions, places);
    const said = `recall@5 ${recallAt5.toFixed(2)}, MRR ${mrr.toFixed(2)}; missed: ${missed.join(' ')}`;
    console.log(`      ${said.split(';')[0]}`);
    assert.ok(recallAt5 >= LEAST.recallAt5 && mrr >= LEAST.mrr, said);
  });
});
