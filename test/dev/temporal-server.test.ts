import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SEARCH_ATTRIBUTE } from '../../src/contract/names.ts';
import { startTimeOf } from '../../src/dev/process-identity.ts';
import { createTemporalCli, isServing } from '../../src/dev/temporal-cli.ts';
import { startTemporalServer, type TemporalServer } from '../../src/dev/temporal-server.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';

describe('the development Temporal server', () => {
  const dataDir = tempDir();
  const record = join(dataDir, 'temporal', 'child.json');
  const lines: string[] = [];
  let cliPath = '';
  let server: TemporalServer | undefined;
  const start = async (): Promise<TemporalServer> =>
    (server = await startTemporalServer({
      cliPath,
      dataDir,
      namespace: 'default',
      print: (line) => void lines.push(line),
    }));

  before(async () => {
    cliPath = await temporalCliPath();
  });
  after(() => server?.stop());

  it('serves, with the search attributes, and keeps closed runs for 30 days', async () => {
    const { address, adopted } = await start();
    const cli = createTemporalCli(cliPath, address);
    assert.equal(adopted, false);
    assert.ok(await isServing(cli));
    const attributes = await cli(['operator', 'search-attribute', 'list']);
    for (const name of Object.values(SEARCH_ATTRIBUTE))
      assert.match(attributes, new RegExp(`\\b${name}\\b`));
    await until(
      'the retention',
      async () => /720h/.test(await cli(['operator', 'namespace', 'describe', '-n', 'default'])),
      20_000,
      500,
    );
  });

  it('is started again on the same ports when it is killed, and says so', async () => {
    assert.ok(server);
    const killed = server.pid();
    process.kill(killed, 'SIGKILL');
    await until('another child', () => server?.pid() !== killed);
    await until(
      'it serves again',
      () => isServing(createTemporalCli(cliPath, server?.address ?? '')),
      20_000,
      200,
    );
    assert.match(lines.at(-1) ?? '', new RegExp(`port ${server.address.split(':')[1]}`));
  });

  it('ends with a stop, and comes back on its old ports with its data', async () => {
    assert.ok(server);
    const { address } = server;
    const pid = server.pid();
    await server.stop();
    assert.equal(startTimeOf(pid), undefined);
    assert.equal((await start()).address, address);
  });

  it('is adopted by the next start when ours was killed, and outlived it', async () => {
    await server?.stop();
    const script = `
      const { startTemporalServer } = await import(${JSON.stringify(new URL('../../src/dev/temporal-server.ts', import.meta.url).href)});
      const server = await startTemporalServer({ cliPath: process.argv[1], dataDir: process.argv[2], namespace: 'default', print: () => undefined });
      console.log(server.pid());
      setInterval(() => undefined, 1000);`;
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, cliPath, dataDir];
    const ours = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(String((await once(ours.stdout, 'data'))[0]));
    ours.kill('SIGKILL');
    await once(ours, 'exit');
    assert.notEqual(startTimeOf(pid), undefined, 'the kill spared it');
    const next = await start();
    assert.deepEqual([next.adopted, next.pid()], [true, pid]);
    await next.stop();
    assert.equal(startTimeOf(pid), undefined, 'an adopted one ends too');
  });

  it('never ends a process that only has the recorded id', async () => {
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      const ports = JSON.parse(readFileSync(record, 'utf8')) as object;
      writeFileSync(record, JSON.stringify({ ...ports, pid: bystander.pid, startTime: '1' }));
      const next = await start();
      assert.equal(next.adopted, false);
      assert.notEqual(startTimeOf(bystander.pid ?? 0), undefined);
    } finally {
      bystander.kill('SIGKILL');
    }
  });
});
