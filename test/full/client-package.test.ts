// The client as others get it: packed, installed into a project that knows nothing of this
// repository, compiled there, and used against the running API in Node and in a browser.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { newOrg, startApiRig, token, type ApiRig } from '../api/api-rig.ts';
import { atExit } from '../rig/at-exit.ts';
import { startChromium } from '../rig/chromium.ts';
import { freePort } from '../rig/free-port.ts';
import { tempDir } from '../rig/temp-dir.ts';
import type { Place } from './client-package/journey.mts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** By plain http and no loopback by name: what browsers call an insecure context. */
const PAGE_HOST = 'page.test';
const TOLD = [
  'COMPLETED: The answer.',
  'PAUSED, 1 in the inbox, WAITING',
  'HashMismatchError 412 HASH_MISMATCH, COMPLETED, DECIDED',
  'resumed: DECIDED APPROVE',
  'AbortError',
  'START to STOP, resumed: true',
  'streamed: The answer.',
  'CANCELLED',
  'InvalidRequestError 400 INVALID_REQUEST',
  'UnauthorizedError 401 UNAUTHENTICATED',
  'ForbiddenError 403 INSUFFICIENT_SCOPE',
  'NotFoundError 404 NOT_FOUND',
  'ConflictError 409 ALREADY_DECIDED',
  'KeyReusedError 422 IDEMPOTENCY_KEY_REUSED',
  'CallIdRequiredError 428 CALL_ID_REQUIRED',
  'ConnectionError',
];

const execute = promisify(execFile);
const npm = (...args: readonly string[]) =>
  execute('npm', [...args], { cwd: ROOT }).then(({ stdout }) => stdout.trim());

describe('the packed client in a project of its own', function () {
  // npm and the compiler, on a machine that may be busy.
  this.timeout(300_000);
  const project = tempDir();
  const installed = join(project, 'node_modules', '@holdpoint', 'client');
  let api: ApiRig;
  let page: { readonly url: string; serve: string };

  const compile = (name: string, options: object): Promise<unknown> => {
    const strict = {
      ...{ module: 'nodenext', strict: true, skipLibCheck: false, target: 'es2022' },
      ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    };
    const config = { compilerOptions: { ...strict, ...options }, files: ['journey.mts'] };
    writeFileSync(join(project, name), JSON.stringify(config));
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    return execute(process.execPath, [compiler, '-p', name], { cwd: project }).catch(
      (error: { readonly stdout: string }) => assert.fail(error.stdout),
    );
  };
  let compiled: Promise<unknown> | undefined;
  const compiledForNode = (): Promise<unknown> =>
    (compiled ??= compile('tsconfig.json', {
      ...{ lib: ['es2023'], typeRoots: [join(ROOT, 'node_modules', '@types')], types: ['node'] },
      outDir: 'out',
    }));
  const place = async (): Promise<Place> => {
    const org = newOrg();
    return {
      baseUrl: api.url,
      token: await token('ada', { org }),
      weakToken: await token('ada', { org, scope: '' }),
      deadUrl: `http://127.0.0.1:${await freePort()}`,
    };
  };

  before(async () => {
    page = await startPage();
    api = await startApiRig({ corsOrigins: [page.url] });
    const pack = (folder: string, ...more: readonly string[]) =>
      npm('pack', folder, '--silent', '--pack-destination', project, ...more);
    const client = await pack('./client');
    // The one dependency out of this tree, so that the test asks no registry.
    const parser = await pack('./node_modules/eventsource-parser', '--ignore-scripts');
    writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "type": "module" }');
    const tarballs = [client, parser].map((name) => join(project, name.split('\n').at(-1) ?? ''));
    await npm('install', '--prefix', project, '--offline', '--no-audit', '--no-fund', ...tarballs);
    copyFileSync(
      new URL('./client-package/journey.mts', import.meta.url),
      join(project, 'journey.mts'),
    );
  });
  after(() => api.close());

  it('is scripts with their declarations, and depends on a parser of event streams alone', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).toSorted();
    const [other] = files.filter(
      (name) => !/^(dist|package\.json|README\.md|dist\/[\w-]+\.(js|d\.ts))$/.test(name),
    );
    assert.equal(other, undefined);
    assert.ok(files.includes('README.md') && files.includes('dist/schema.d.ts'));
    const imported = files
      .filter((name) => /\.(js|d\.ts)$/.test(name))
      .flatMap((name) => [
        ...readFileSync(join(installed, name), 'utf8').matchAll(
          /^(?:import|export) .*from ["']([^"']+)["'];?$/gm,
        ),
      ])
      .map(([, from = '']) => from);
    assert.deepEqual(
      [...new Set(imported.filter((from) => !/^\.\/[\w-]+\.js$/.test(from)))],
      ['eventsource-parser'],
    );
    const modules = readdirSync(join(project, 'node_modules')).filter((name) =>
      /^\w|^@/.test(name),
    );
    assert.deepEqual(modules.toSorted(), ['@holdpoint', 'eventsource-parser']);
  });

  it('compiles under nodenext and strict with every library checked, with a page’s types and with Node’s alone', async () => {
    await compile('tsconfig.page.json', { lib: ['es2022', 'dom'], types: [], noEmit: true });
    await compiledForNode();
  });

  it('runs, streams, waits, decides, reads the inbox and cancels in Node, every error of its class', async () => {
    await compiledForNode();
    const script = `import { journey } from './out/journey.mjs'; console.log(JSON.stringify(await journey(${JSON.stringify(await place())})));`;
    writeFileSync(join(project, 'main.mjs'), script);
    const { stdout } = await execute(process.execPath, ['main.mjs'], { cwd: project });
    assert.deepEqual(JSON.parse(stdout), TOLD);
  });

  it('does the same in a browser, from a page of another origin that came by plain http', async function () {
    const browser = await startChromium(this, { [PAGE_HOST]: '127.0.0.1' });
    try {
      const { outputFiles } = await build({
        stdin: {
          contents: `import { journey } from './journey.mts'; globalThis.journey = journey;`,
          resolveDir: project,
        },
        ...{ absWorkingDir: project, bundle: true, format: 'esm', write: false },
      });
      page.serve = outputFiles[0]?.text ?? assert.fail();
      const tab = await browser.newPage();
      await tab.goto(page.url);
      await tab.waitForFunction('globalThis.journey');
      const told: unknown = await tab.evaluate(
        `journey(${JSON.stringify(await place())}).then((told) => [isSecureContext, ...told])`,
      );
      assert.deepEqual(told, [false, ...TOLD]);
    } finally {
      await browser.close();
    }
  });
});

/** A page with one script. */
async function startPage(): Promise<{ readonly url: string; serve: string }> {
  const page = { url: '', serve: '' };
  const server = createServer((request, response) => {
    const script = request.url === '/script.js';
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ? page.serve : '<script type="module" src="/script.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atExit(() => server.close());
  page.url = `http://${PAGE_HOST}:${(server.address() as AddressInfo).port}`;
  return page;
}
