// What the Dockerfile and the compose file do, step by step without a container engine: packages
// without their install scripts, the compiled tree without the tools that made it, the database's
// three roles, migrations as the owner, the two roles of the product in production.

import assert from 'node:assert/strict';
import { digestOfSources } from '../../src/tools/source-digest.ts';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { callerOf, openStage, pendingOf, plan, tokenOf, type Stage } from '../e2e/stage.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { startTemporal, type TemporalRig } from '../rig/temporal.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

describe('the deployment, without a container engine', function () {
  this.timeout(300_000);
  const [build, image] = [tempDir(), tempDir()];
  let postgres: PostgresRig;
  let temporal: TemporalRig;
  let stage: Stage;
  const processes: ProductProcess[] = [];
  before(async function () {
    postgres = await postgresOrSkip(this);
    [temporal, stage] = await Promise.all([startTemporal(), openStage()]);
  });
  after(async () => {
    for (const process of processes) await process.stop();
    await stage?.close();
    await temporal?.stop();
    await postgres?.stop();
  });

  it('builds from what .dockerignore lets in, with npm ci --ignore-scripts, and sheds what only the build needs', async () => {
    const let_in = readFileSync(join(ROOT, '.dockerignore'), 'utf8').matchAll(/^!(.+)$/gm);
    for (const [, name = ''] of let_in)
      cpSync(join(ROOT, name), join(build, name), { recursive: true });
    const npm = (...args: string[]) => run('npm', args, { cwd: build, maxBuffer: 16 << 20 });
    await npm('ci', '--ignore-scripts', '--no-audit', '--no-fund');
    await npm('run', 'build');
    await npm('prune', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund');
    assert.ok(!existsSync(join(build, 'node_modules/typescript')));
    const kept = JSON.parse(readFileSync(join(build, 'lib/tools/source-digests.json'), 'utf8'));
    const source = new URL('../../src/tools/examples/send-email.ts', import.meta.url).href;
    assert.equal(
      kept['tools/examples/send-email'],
      digestOfSources(source),
      'the compiled tools are those of the source: approvals hold for both',
    );
    const copied = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(
      /^COPY (?:--from=build \/app\/)?(\S+) (\.\/\S*)$/gm,
    );
    const last = [...copied].slice(-5);
    assert.equal(last.length, 5);
    for (const [, from = '', to = ''] of last) {
      mkdirSync(join(image, to), { recursive: true });
      if (to === './') cpSync(join(build, from), join(image, from));
      else cpSync(join(build, from), join(image, to), { recursive: true });
    }
  });

  it('makes the three roles, migrates as the owner, and serves a run and a decision in production', async () => {
    const owner = new URL(await postgres.createDatabase());
    const database = owner.pathname.slice(1);
    // The script's database has the compose file's name.
    await postgres.sql(`alter database ${database} rename to holdpoint`);
    owner.pathname = '/holdpoint';
    const script = {
      POSTGRES_USER: 'postgres',
      POSTGRES_DB: 'holdpoint',
      OWNER_PASSWORD: 'o',
      SERVICE_PASSWORD: 's',
    };
    const shell = { PATH: process.env['PATH'] ?? '', PGHOST: owner.hostname, PGPORT: owner.port };
    await run('sh', [join(ROOT, 'deploy/postgres-roles.sh')], { env: { ...shell, ...script } });
    const as = (user: string, password: string): string => {
      const url = new URL(owner);
      [url.username, url.password] = [user, password];
      return url.href;
    };
    const env = {
      ...stage.env,
      NODE_ENV: 'production',
      TEMPORAL_ADDRESS: temporal.address,
      DATABASE_URL: as('holdpoint', 's'),
      MIGRATION_DATABASE_URL: as('holdpoint_owner', 'o'),
      OPERATOR_DECISIONS: 'reject-only',
    };
    await run(process.execPath, ['lib/main/migrate.js'], { cwd: image, env: { ...shell, ...env } });
    const start = async (role: 'api' | 'worker'): Promise<ProductProcess> => {
      const settings = { ...env, DATA_DIR: tempDir() };
      const started = await startProduct({
        role,
        env: settings,
        compiledIn: image,
        noWait: role === 'worker',
      });
      processes.push(started);
      return started;
    };
    const api = await start('api');
    await start('worker');
    const ada = callerOf(api.url, await tokenOf('ada'));
    const { run: paused } = await ada.ask(plan([['pay', { amount: 5 }]], 'Paid.'));
    assert.deepEqual([paused.status, pendingOf(paused).length], ['PAUSED', 1]);
    const { run: done } = await ada.decide(paused, { action: 'APPROVE' });
    assert.deepEqual([done.status, done.content], ['COMPLETED', 'Paid.']);
    for (const process of processes.splice(0)) {
      process.signal('SIGTERM');
      assert.equal((await process.exited()).code, 0);
    }
  });
});
