// What is built on, by package.json and package-lock.json alone: exact versions, each by its hash,
// under a licence that may be shipped, above the floors of known holes, none needing its install
// script.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import {
  licenceOf,
  lockedPackages,
  thirdPartyPage,
  writtenThirdPartyPage,
} from '../../scripts/third-party.ts';

const text = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const locked = lockedPackages();
const { dependencies, devDependencies } = JSON.parse(text('package.json')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** That may be shipped with an Apache-2.0 product, its text beside it. */
const SHIPPED = new Set([
  ...['MIT', 'MIT-0', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Unlicense'],
  ...['BlueOak-1.0.0', '(MIT OR CC0-1.0)', 'Apache-2.0 AND MIT'],
  // Data of caniuse-lite: named where it is shipped.
  'CC-BY-4.0',
]);
/** Beside those, of what only builds and tests. */
const DEVELOPMENT = new Set([
  ...SHIPPED,
  ...['Python-2.0', 'MPL-2.0', '(MIT OR GPL-3.0-or-later)', '(MIT AND Zlib)'],
]);
/** docs/operations.md says what each does, and why nothing misses it. */
const WITH_INSTALL_SCRIPTS = ['@swc/core', 'esbuild'];

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

const isBelow = (version: string, floor: string): boolean => {
  const [a, b] = [version, floor].map((one) => one.split('-')[0]?.split('.').map(Number) ?? []);
  const at = [0, 1, 2].find((i) => a?.[i] !== b?.[i]);
  return at !== undefined && (a?.[at] ?? 0) < (b?.[at] ?? 0);
};

describe('what Holdpoint is built on', () => {
  it('is asked for by exact versions, which the lockfile has', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.match(version, EXACT, name);
      assert.ok(
        locked.some((one) => one.name === name && one.version === version),
        `${name} ${version} is not in package-lock.json`,
      );
    }
  });

  it('is taken by its hash, from the registry that npm is set to', () => {
    const odd = locked.filter(
      ({ integrity, resolved }) =>
        integrity?.startsWith('sha512-') !== true ||
        (resolved !== undefined && !isTarball(resolved)),
    );
    assert.deepEqual(odd, []);
  });

  it('needs no install script', () => {
    const names = locked.filter((one) => one.hasInstallScript === true).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), WITH_INSTALL_SCRIPTS);
    const said = text('docs/operations.md');
    for (const name of WITH_INSTALL_SCRIPTS) assert.ok(said.includes(`\`${name}\` (`), name);
    for (const file of ['Dockerfile', 'bin/install.mjs'])
      assert.match(text(file), /--ignore-scripts/, file);
  });

  it('may be used and shipped', () => {
    const odd = locked.filter(
      (one) => !(one.dev === true ? DEVELOPMENT : SHIPPED).has(licenceOf(one) ?? 'none'),
    );
    assert.deepEqual(odd, []);
  });

  it('is above the floors of known holes', () => {
    const floors = parse(text('test/repository/known-holes.yaml')) as Record<
      string,
      Record<string, string>
    >;
    for (const [name, { why = '', ...byMajor }] of Object.entries(floors)) {
      const versions = locked.filter((one) => one.name === name).map(({ version }) => version);
      assert.notEqual(versions.length, 0, `${name} is not there any more`);
      const lowest = Math.min(...Object.keys(byMajor).map(Number));
      for (const version of versions) {
        const major = Number(version.split('.')[0]);
        assert.ok(major >= lowest, `${name} ${version}: ${why}`);
        const floor = byMajor[String(major)];
        assert.ok(floor === undefined || !isBelow(version, floor), `${name} ${version}: ${why}`);
      }
    }
  });

  it('is listed in docs/third-party.md (npm run third-party)', async () => {
    assert.equal(writtenThirdPartyPage(), await thirdPartyPage());
  });
});

const isTarball = (url: string): boolean =>
  new URL(url).protocol === 'https:' && url.endsWith('.tgz');
