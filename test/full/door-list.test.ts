// What `npm start` really leaves open, by the kernel's word: what listens, and what another user of
// the machine can reach of its files.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../rig/free-port.ts';
import { listenersOf, needsProc, processTree } from '../rig/listeners.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { skipBecause } from '../rig/skip.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** `nobody`, where the tests run as root. */
const SOMEBODY_ELSE = 65_534;

describe('what a running `npm start` leaves open', function () {
  this.timeout(180_000);
  const dataDir = join(tempDir(), 'data');
  let product: ProductProcess;
  let metricsPort = 0;

  before(async function () {
    needsProc(this);
    // As an earlier release left it: open to everybody, under a usual umask.
    mkdirSync(dataDir);
    chmodSync(dataDir, 0o755);
    mkdirSync(join(dataDir, 'sent-mail'));
    writeFileSync(join(dataDir, 'sent-mail', 'old.txt'), 'private words');
    const before = process.umask(0o022);
    metricsPort = await freePort();
    const env = {
      ...{ DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() },
      METRICS_PORT: String(metricsPort),
    };
    product = await startProduct({ role: 'start', env }).finally(() => process.umask(before));
  });
  after(() => product?.stop());

  it('is nothing of its files: the folder is its own, and what it makes is closed to others', () => {
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    // The embedded database sets the modes of its files itself; what lay there before keeps its own.
    const closedByTheFolder = /^(database|sent-mail)\b/;
    const open = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter(
      (name) => !closedByTheFolder.test(name) && (statSync(join(dataDir, name)).mode & 0o077) !== 0,
    );
    assert.deepEqual(open, []);
  });

  it('is nothing that another user can read', function () {
    if (process.getuid?.() !== 0) skipBecause(this, 'only root can become another user');
    for (const path of ['', 'jwt-secret', 'database/PG_VERSION', 'sent-mail/old.txt'])
      assert.throws(
        () =>
          execFileSync(
            process.execPath,
            ['-e', 'require("fs").accessSync(process.argv[1], 4)', join(dataDir, path)],
            { uid: SOMEBODY_ELSE, gid: SOMEBODY_ELSE, cwd: '/', stdio: 'pipe' },
          ),
        /EACCES/,
        path,
      );
  });

  it('is listed in docs/security.md, listener by listener', () => {
    const { pid, ...places } = JSON.parse(
      readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8'),
    ) as Record<string, number> & { pid: number; hiddenUiIp: string };
    const names = new Map<string, string>([
      [`127.0.0.1:${product.port}`, 'the API'],
      [`127.0.0.1:${metricsPort}`, 'metrics'],
      [`127.0.0.1:${places['uiPort']}`, "the Web UI's guard"],
      [`127.0.0.1:${places['port']}`, 'the child: gRPC'],
      [`127.0.0.1:${places['httpPort']}`, 'the child: HTTP API'],
      [`127.0.0.1:${places['metricsPort']}`, 'the child: metrics'],
      [`${places.hiddenUiIp}:${places['hiddenUiPort']}`, 'the child: Web UI'],
    ]);
    const own = listenersOf(processTree(product.pid() ?? 0).filter((each) => each !== pid));
    const childs = listenersOf([pid]);
    const found = [
      ...own.map((each) => names.get(`${each.host}:${each.port}`) ?? 'the demonstration model'),
      ...childs.map((each) => names.get(`${each.host}:${each.port}`) ?? 'the child: its own parts'),
    ];
    const ofOthers = [...own, ...childs].filter(({ host }) => !host.startsWith('127.'));
    assert.deepEqual(ofOthers, [], 'everything listens on the loopback');
    assert.equal(found.filter((name) => name === 'the demonstration model').length, 1);
    assert.deepEqual([...new Set(found)].toSorted(), [...listed('npm start')].toSorted());
  });
});

/** The first column of the table under a heading that names the set-up. */
function listed(setUp: string): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
  const section = page.split(/^### /m).find((part) => part.startsWith(`\`${setUp}\``));
  assert.ok(section, `docs/security.md lists what ${setUp} opens`);
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) => row.split('|')[1]?.trim() ?? '');
}
