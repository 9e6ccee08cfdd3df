// The product as it runs in production: API and worker processes apart, any number of each, on a
// PostgreSQL and a Temporal server that a test may kill.

import { postgresOrSkip, startPostgres, type PostgresRig } from '../rig/postgres.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import type { OnRequest } from '../rig/scripted-model.ts';
import { skipBecause } from '../rig/skip.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { startTemporal, type TemporalRig } from '../rig/temporal.ts';
import { callerOf, openStage, tokenOf, type Caller, type Stage } from './stage.ts';

export interface Cluster {
  readonly stage: Stage;
  readonly postgres: PostgresRig;
  readonly databaseUrl: string;
  readonly temporal: TemporalRig;
  readonly apis: readonly ProductProcess[];
  readonly workers: readonly ProductProcess[];
  readonly env: Readonly<Record<string, string>>;
  /** Speaks to the API of that number. */
  readonly as: (user: string, api?: number) => Promise<Caller>;
  readonly stop: () => Promise<void>;
}

export async function startCluster(
  context: Mocha.Context,
  {
    apis = 1,
    workers = 1,
    kills = false,
    reply,
    programs,
    settings = () => Promise.resolve({}),
  }: {
    apis?: number;
    workers?: number;
    kills?: boolean;
    reply?: OnRequest;
    /** Of a PostgreSQL server other than the machine's. */
    programs?: string;
    /** Beside those of the stage. */
    settings?: (stage: Stage) => Promise<Readonly<Record<string, string>>>;
  } = {},
): Promise<Cluster> {
  const postgres =
    programs === undefined ? await postgresOrSkip(context) : await postgresOf(context, programs);
  if (kills && !postgres.ours) skipBecause(context, 'TEST_DATABASE_URL is not ours to kill');
  const [temporal, stage, databaseUrl] = await Promise.all([
    startTemporal(),
    openStage(reply),
    postgres.createDatabase(),
  ]);
  const env = {
    ...stage.env,
    ...(await settings(stage)),
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal.address,
    LOG_LEVEL: 'error',
  };
  const some = (role: 'api' | 'worker', count: number): Promise<readonly ProductProcess[]> =>
    Promise.all(
      Array.from({ length: count }, () =>
        startProduct({ role, env: { ...env, DATA_DIR: tempDir() }, noWait: role === 'worker' }),
      ),
    );
  const started = { apis: await some('api', apis), workers: await some('worker', workers) };
  return {
    ...{ stage, postgres, databaseUrl, temporal, env },
    ...started,
    as: async (user, api = 0) => callerOf(started.apis[api]?.url ?? '', await tokenOf(user)),
    stop: async () => {
      await Promise.all([...started.workers, ...started.apis].map((one) => one.kill9()));
      await stage.close();
      await temporal.stop();
      await postgres.stop();
    },
  };
}

async function postgresOf(context: Mocha.Context, programs: string): Promise<PostgresRig> {
  const started = await startPostgres(programs);
  return started.ok ? started.postgres : skipBecause(context, started.reason);
}

export const deliveriesOf = (stage: Stage, runId: string) =>
  stage.sink.deliveries.filter((d) => d.headers['x-holdpoint-run'] === runId);
