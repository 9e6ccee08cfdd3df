// The two ways in which Holdpoint is run, for programs that measure: all in one process with what
// it brings along, and the roles apart on real servers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cliOfChild, historyOf } from '../test/e2e/history.ts';
import { startPostgres } from '../test/rig/postgres.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { startTemporal, temporalCliPath } from '../test/rig/temporal.ts';
import { cpuMsOf } from './measure.ts';

export interface Deployment {
  readonly name: string;
  readonly url: string;
  /**
   * CPU time so far, in ms: of our processes (the embedded database among them), and of Temporal's
   * server.
   */
  readonly cpu: () => Cpu;
  /** Events in the history of a run's workflow. */
  readonly events: (runId: string) => Promise<number>;
  readonly stop: () => Promise<void>;
}
export type Cpu = readonly [ours: number, server: number];
type Env = Readonly<Record<string, string>>;

async function oneProcess(env: Env): Promise<Deployment> {
  const dataDir = tempDir();
  const product = await startProduct({
    role: 'start',
    env: { ...env, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() },
  });
  const child = (
    JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')) as { pid: number }
  ).pid;
  return {
    name: 'one process, embedded database',
    url: product.url,
    cpu: () => [cpuMsOf(product.pid() ?? 0), cpuMsOf(child)],
    events: async (runId) => (await historyOf(await cliOfChild(dataDir), runId)).length,
    stop: product.stop,
  };
}

async function rolesApart(env: Env): Promise<Deployment> {
  const [database, temporal] = await Promise.all([startPostgres(), startTemporal()]);
  assert.ok(database.ok, 'PostgreSQL is needed');
  const { postgres } = database;
  const shared = {
    ...env,
    DATABASE_URL: await postgres.createDatabase(),
    TEMPORAL_ADDRESS: temporal.address,
    LOG_LEVEL: 'error',
  };
  const api = await startProduct({ role: 'api', env: { ...shared, DATA_DIR: tempDir() } });
  const worker = await startProduct({
    role: 'worker',
    env: { ...shared, DATA_DIR: tempDir() },
    noWait: true,
  });
  return {
    name: 'API and worker apart, PostgreSQL',
    url: api.url,
    cpu: () => [cpuMsOf(api.pid() ?? 0) + cpuMsOf(worker.pid() ?? 0), cpuMsOf(temporal.pid() ?? 0)],
    events: async (runId) => (await historyOf(temporal.cli, runId)).length,
    stop: async () => {
      for (const stop of [worker.stop, api.stop, temporal.stop, postgres.stop]) await stop();
    },
  };
}

export const DEPLOYMENTS: readonly ((env: Env) => Promise<Deployment>)[] = [oneProcess, rolesApart];

/** CPU used between two readings, for each of `count`. */
export const cpuEach = (before: Cpu, after: Cpu, count: number): Cpu => [
  (after[0] - before[0]) / count,
  (after[1] - before[1]) / count,
];
