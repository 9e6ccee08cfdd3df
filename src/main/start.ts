// `npm start`: everything in one process, with a development Temporal server as its child and the
// embedded database, each unless the settings name one of somebody else's. Production runs
// api/server.ts and worker.ts instead.

import { join } from 'node:path';
import { agentsOf, startApi, type RunningApi } from './api.ts';
import { configFromEnvironment, settingsInForce, type Config } from '../config.ts';
import { openDataDir } from '../data-dir.ts';
import { createLogger } from '../logger.ts';
import { runMain } from './role.ts';
import { openStore, type OpenStore } from '../store/database/open-store.ts';
import { connectTemporal, connectWhenThere, type Temporal } from '../temporal/connect.ts';
import { searchAttributesProblem } from '../temporal/search-attributes.ts';
import {
  createOutboxAndReconciler,
  type OutboxAndReconciler,
} from '../temporal/outbox-and-reconciler.ts';
import { closeExampleDatabase } from '../tools/examples/example-database.ts';
import {
  bundleWorkflows,
  installRuntime,
  modelOf,
  startWorker,
  type RunningWorker,
} from './worker.ts';
import { lockDataDir } from '../dev/data-dir-lock.ts';
import { startDemoModel } from '../dev/demo-model.ts';
import { developmentSecret } from '../dev/dev-secret.ts';
import { findTemporal } from '../dev/find-temporal.ts';
import { makeToken } from '../dev/make-token.ts';
import { createSignInLink } from '../dev/sign-in-link.ts';
import { startTemporalServer, type TemporalServer } from '../dev/temporal-server.ts';
import { welcomeText } from '../dev/welcome.ts';

const say = (line: string): void => console.log(line);

/** Undone in reverse order, each whatever the others do. */
type Undo = () => Promise<unknown>;

async function main(config: Config, stopping: AbortSignal): Promise<void> {
  const undo: Undo[] = [];
  try {
    await run(config, stopping, undo);
  } finally {
    for (const step of undo.reverse())
      await step().catch((error: unknown) =>
        console.error(error instanceof Error ? error.message : error),
      );
  }
}

async function run(config: Config, stopping: AbortSignal, undo: Undo[]): Promise<void> {
  const log = createLogger({ level: config.logLevel, name: 'start' });
  openDataDir(config.dataDir);
  const locked = lockDataDir(config.dataDir);
  if (!locked.ok) throw new Error(locked.problem);
  undo.push(async () => locked.lock.release());
  const agents = await agentsOf(config);
  for (const line of settingsInForce(config)) say(`  ${line}`);

  // Database, workflow bundle and Temporal server come up side by side: the second start is to be
  // under 10 s.
  const database = openStore({
    databaseUrl: config.databaseUrl,
    migrationDatabaseUrl: config.migrationDatabaseUrl,
    dir: join(config.dataDir, 'database'),
  });
  database.catch(() => undefined);
  const workflows = bundleWorkflows();
  workflows.catch(() => undefined);
  const child = config.temporal.address === null ? await temporalChild(config, undo) : undefined;
  const opened: OpenStore = await database;
  undo.push(() => opened.close());

  installRuntime(log);
  const temporal: Temporal | undefined =
    child === undefined
      ? await connectWhenThere(config.temporal, log, stopping)
      : await connectTemporal({ ...config.temporal, address: child.address });
  if (temporal === undefined) return;
  undo.push(() => temporal.close());
  const problem = await searchAttributesProblem(temporal);
  if (problem !== undefined) throw new Error(problem);

  const demo = config.model.kind === 'demo' ? await startDemoModel() : undefined;
  if (demo !== undefined) undo.push(() => demo.close());
  undo.push(() => closeExampleDatabase());
  const outboxAndReconciler: OutboxAndReconciler = createOutboxAndReconciler({
    store: opened.store,
    temporal,
    eager: true,
    retentionDays: config.retentionDays,
    log,
  });
  undo.push(() => outboxAndReconciler.stop());
  const worker: RunningWorker = await startWorker({
    config,
    store: opened.store,
    temporal,
    outboxAndReconciler,
    model: modelOf(config, demo),
    workflows,
    log,
  });
  undo.push(() => worker.stop());
  const makeReadyToken = (): Promise<string> => readyToken(config, [...agents.values()]);
  const token = handsOutTokens(config) ? await makeReadyToken() : null;
  const signIn = token === null ? undefined : createSignInLink(makeReadyToken);
  const uiUrl = child?.uiUrl ?? config.temporalUiUrl;
  const api: RunningApi = await startApi({
    config,
    store: opened.store,
    agents,
    temporal: () => temporal,
    outboxAndReconciler: () => outboxAndReconciler,
    working: worker.working,
    ...(signIn === undefined ? {} : { development: { exchange: signIn.exchange, uiUrl } }),
    log,
  });
  undo.push(() => api.stop());

  say(
    welcomeText({
      apiUrl: api.url,
      consoleUrl: signIn?.link(api.url) ?? `${api.url}/`,
      uiUrl,
      temporalAddress: child?.address ?? null,
      token,
      agents: [...agents.keys()],
    }),
  );
  await Promise.race([
    worker.ended,
    new Promise((resolve) =>
      stopping.aborted
        ? resolve(undefined)
        : stopping.addEventListener('abort', resolve, { once: true }),
    ),
  ]);
  say('Stopping: what is under way is handed back and goes on at the next start.');
}

async function temporalChild(config: Config, undo: Undo[]): Promise<TemporalServer> {
  const found = await findTemporal({
    dataDir: config.dataDir,
    configured: config.temporalCli,
    say,
  });
  if (!found.ok) throw new Error(found.problem);
  const server = await startTemporalServer({
    cliPath: found.path,
    dataDir: config.dataDir,
    namespace: config.temporal.namespace,
    say,
  });
  undo.push(() => server.stop());
  return server;
}

/** Not where tokens come from somebody else's keys. */
const handsOutTokens = ({ auth, production }: Config): boolean =>
  auth.kind !== 'jwks' && !production;

/** All scopes but admin, and every role that an agent names. */
async function readyToken(
  config: Config,
  agents: readonly { tools: readonly { approvers: readonly string[] | null }[] }[],
): Promise<string> {
  const roles = agents
    .flatMap((agent) => agent.tools.flatMap((tool) => tool.approvers ?? []))
    .filter((who) => who.startsWith('role:'));
  return makeToken({
    secret: config.auth.kind === 'secret' ? config.auth.secret : developmentSecret(config.dataDir),
    config,
    user: 'ada',
    org: 'acme',
    roles: [...new Set(roles.map((role) => role.slice('role:'.length)))],
    scope: 'runs:write runs:read runs:cancel runs:approve runs:impersonate',
    lifeS: config.maxTokenAgeS,
  });
}

await runMain(() => configFromEnvironment('start'), main);
