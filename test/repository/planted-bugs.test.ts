import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PLANTED_BUGS } from '../../chaos/planted-bugs.ts';
import { plantedText } from '../../chaos/planted-text.ts';

const at = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));

describe('the planted bugs', () => {
  it('have their places in the source: code that moves takes its bug along', () => {
    for (const { name, patches } of PLANTED_BUGS)
      for (const patch of patches) {
        assert.ok(existsSync(at(patch.file)), `${name}: ${patch.file} is gone`);
        const planted = plantedText(readFileSync(at(patch.file), 'utf8'), patch);
        assert.ok(planted !== undefined, `${name}: not in ${patch.file}: ${patch.find}`);
      }
  });

  it('are caught by rules or by tests that exist', () => {
    for (const { name, caughtBy } of PLANTED_BUGS)
      if ('tests' in caughtBy)
        for (const file of caughtBy.tests) assert.ok(existsSync(at(file)), `${name}: ${file}`);
      else assert.ok(caughtBy.rules.length > 0, name);
  });
});
