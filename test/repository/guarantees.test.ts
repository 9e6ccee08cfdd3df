import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(`${ROOT}docs/guarantees.md`, 'utf8');

/** Titles as they are written in a file; what a template is filled in with stands as `…`. */
function titlesIn(file: string): ReadonlySet<string> {
  const source = readFileSync(`${ROOT}${file}`, 'utf8');
  const titles = source.matchAll(
    /\bit\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g,
  );
  return new Set(
    [...titles].map(([, single, double, template]) =>
      (single ?? double ?? template ?? '').replace(/\$\{[^}]*\}/g, '…').replace(/\\(.)/g, '$1'),
    ),
  );
}

const named = [...text.matchAll(/`(test\/[^`]+\.ts)`: "([^"]+)"/g)].map(
  ([, file = '', title = '']) => ({ file, title }),
);
const promises = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (What|Promise) /.test(line));
const ofProgramme = /^\| [^|]+ \| (`[a-z-]+`(?:, )?)+ \|/;
const checks = promises
  .filter((line) => ofProgramme.test(line))
  .flatMap((line) => line.split(' | ')[1]?.match(/[a-z-]{4,}/g) ?? []);

describe('docs/mcp.md', () => {
  const rows = readFileSync(`${ROOT}docs/mcp.md`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| What happens '));

  it('names a test for every row, by its exact title', () => {
    assert.ok(rows.length > 20);
    const gone = rows.filter((line) => {
      const tests = [...line.matchAll(/`(test\/[^`]+\.ts)`: "([^"]+)"/g)];
      return (
        tests.length === 0 ||
        tests.some(
          ([, file = '', title = '']) =>
            !existsSync(`${ROOT}${file}`) || !titlesIn(file).has(title),
        )
      );
    });
    assert.deepEqual(gone, []);
  });
});

describe('docs/guarantees.md', () => {
  it('names a test for every promise', () => {
    assert.ok(promises.length > 20);
    assert.deepEqual(
      promises.filter(
        (line) => !ofProgramme.test(line) && !/`test\/[^`]+\.ts`: "[^"]+" ?[|;]/.test(line),
      ),
      [],
    );
  });

  it('names tests that are there, by their exact titles', () => {
    const gone = named.filter(
      ({ file, title }) => !existsSync(`${ROOT}${file}`) || !titlesIn(file).has(title),
    );
    assert.deepEqual(gone, []);
  });

  it('names checks of the program that are there', () => {
    const sources = readdirSync(`${ROOT}chaos`).map((file) =>
      readFileSync(`${ROOT}chaos/${file}`, 'utf8'),
    );
    assert.ok(checks.length > 15);
    assert.deepEqual(
      checks.filter((rule) => !sources.some((source) => source.includes(`'${rule}'`))),
      [],
    );
  });
});
