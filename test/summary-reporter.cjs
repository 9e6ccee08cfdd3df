// Mocha's spec reporter, and at its end: what was skipped and why, then the counts (into a file
// where bin/test.mjs asks for it, which prints them last of all). CommonJS: mocha requires its
// reporters.

const { writeFileSync } = require('node:fs');
const Mocha = require('mocha');

const reasonOf = (node) =>
  node === undefined ? undefined : (node.skipReason ?? reasonOf(node.parent));

module.exports = class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on('pending', (test) => skipped.push(test));
    runner.on('end', () => {
      for (const test of skipped)
        console.log(`skipped: ${test.fullTitle()}: ${reasonOf(test) ?? 'no reason was given'}`);
      const { passes, failures, pending } = this.stats;
      const file = options.reporterOptions?.summary ?? options.reporterOption?.summary;
      if (file)
        writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
      else console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }
};
