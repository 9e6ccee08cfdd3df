import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { digestOfSources } from '../../src/tools/source-digest.ts';

describe('the digest of a tool’s source', () => {
  const FILES = {
    'tool.ts': `import { z } from 'zod';
import type { Shape } from './types.ts';
import {
  help,
  type Shape as Again,
} from './helper.ts';
import './effects.ts';
export const tool = async () => (await import('./late.ts')).late(help);`,
    'helper.ts': `export { deep as help } from './deep.ts';`,
    'deep.ts': `import { tool } from './tool.ts';\nexport const deep = () => tool;`,
    'effects.ts': `globalThis.x = 1;`,
    'late.ts': `export const late = () => 1;`,
    'types.ts': `export interface Shape { readonly a: string }`,
    'stranger.ts': `export const other = 1;`,
  } as const;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdpoint-source-'));
  });
  after(() => rm(folder, { recursive: true }));
  const write = (files: Readonly<Record<string, string>>): Promise<unknown> =>
    Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
  const digest = (): string => digestOfSources(pathToFileURL(join(folder, 'tool.ts')).href);

  it('is another where the file, or anything that it imports of the project, however far, was changed', async () => {
    await write(FILES);
    const before = digest();
    for (const name of ['tool.ts', 'helper.ts', 'deep.ts', 'effects.ts', 'late.ts'] as const) {
      await write({ [name]: `${FILES[name]}\n` });
      assert.notEqual(digest(), before, name);
      await write(FILES);
    }
    assert.equal(digest(), before, 'and the same again');
  });

  it('is the same where types, files that it does not import, or the ends of lines were changed', async () => {
    await write(FILES);
    const before = digest();
    await write({
      'types.ts': 'export interface Shape { readonly b: number }',
      'stranger.ts': 'export const other = 2;',
      'tool.ts': FILES['tool.ts'].replaceAll('\n', '\r\n'),
    });
    assert.equal(digest(), before);
  });
});
