// The kept workflow code: used while nothing that it is made of has changed, made anew otherwise.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../src/logger.ts';
import { bundleWorkflows } from '../../src/main/workflow-bundle.ts';
import { tempDir } from '../rig/temp-dir.ts';

const INSTALLED = fileURLToPath(new URL('../../node_modules', import.meta.url));
const log = createLogger({ level: 'error', name: 'test' });

/** A tree with one workflow, which imports a part, and packages of its own. */
function openTree() {
  const root = tempDir();
  const packages = join(root, 'node_modules');
  mkdirSync(packages);
  symlinkSync(join(INSTALLED, '@temporalio'), join(packages, '@temporalio'));
  const write = (name: string, text: string): void => writeFileSync(join(root, name), text);
  write('node_modules/.package-lock.json', '{}');
  write('workflows.ts', "export { part } from './part.js';\n");
  write('part.js', "export const part = () => 'the first part';\n");
  const folder = join(packages, '.cache', 'holdpoint');
  const kept = (): string => join(folder, readdirSync(folder)[0] ?? '');
  return {
    write,
    kept,
    bundle: async (): Promise<string> => {
      const place = { workflowsPath: join(root, 'workflows.ts'), packages };
      return (await bundleWorkflows(log, place)).code;
    },
    /** Marks what is kept, so that using it shows. */
    mark: (): void => {
      const all = JSON.parse(readFileSync(kept(), 'utf8')) as { code: string };
      const code = `${all.code}// kept`;
      const codeDigest = createHash('sha256').update(code).digest('hex');
      writeFileSync(kept(), JSON.stringify({ ...all, code, codeDigest }));
    },
  };
}

describe('the workflow code', function () {
  this.timeout(60_000);

  it('is made once for the same sources', async () => {
    const tree = openTree();
    const made = await tree.bundle();
    assert.match(made, /the first part/);
    tree.mark();
    assert.equal(await tree.bundle(), `${made}// kept`);
  });

  const CHANGES: Readonly<Record<string, (tree: ReturnType<typeof openTree>) => void>> = {
    'another workflow': ({ write }) => write('workflows.ts', "export * from './part.js';\n"),
    'another file that it imports': ({ write }) =>
      write('part.js', "export const part = () => 'the second part';\n"),
    'a file that is found before one it is made of': ({ write }) =>
      write('part.ts', "export const part = (): string => 'the second part';\n"),
    'settings of its compiler': ({ write }) => write('.swcrc', '{}'),
    'other packages': ({ write }) => write('node_modules/.package-lock.json', '{"a": 1}'),
    'a file that was kept in part': ({ kept }) =>
      writeFileSync(kept(), readFileSync(kept(), 'utf8').slice(0, -9)),
    'kept code that is not what was kept': ({ kept }) =>
      writeFileSync(kept(), readFileSync(kept(), 'utf8').replace('// kept', '// left')),
  };
  for (const [change, make] of Object.entries(CHANGES))
    it(`is made anew for ${change}`, async () => {
      const tree = openTree();
      await tree.bundle();
      tree.mark();
      make(tree);
      const code = await tree.bundle();
      assert.doesNotMatch(code, /\/\/ (kept|left)$/);
      assert.match(code, /second/.test(make.toString()) ? /the second part/ : /the first part/);
    });

  it('is made at each start where it is unknown which packages there are', async () => {
    const tree = openTree();
    await tree.bundle();
    tree.mark();
    rmSync(join(tree.kept(), '..', '..', '..', '.package-lock.json'));
    assert.doesNotMatch(await tree.bundle(), /\/\/ kept$/);
  });
});
