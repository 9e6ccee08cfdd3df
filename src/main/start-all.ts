// `npm start`: everything in one process, with a development Temporal server as its child and the
// embedded database, each unless the settings name one that is there already. Production runs
// api.ts and worker.ts instead.

import { join } from 'node:path';
import type { Config } from '../config.ts';
import { settingsInForce } from '../settings/in-force.ts';
import { startDemoModel } from '../dev/demo-model.ts';
import { fillHandbook, HANDBOOK_AGENT } from '../dev/fill-handbook.ts';
import { findTemporal } from '../dev/find-temporal.ts';
import { EVERYDAY_SCOPE, makeToken } from '../dev/make-token.ts';
import { createSignInLink } from '../dev/sign-in-link.ts';
import { startTemporalServer, type TemporalServer } from '../dev/temporal-server.ts';
import { welcomeText } from '../dev/welcome.ts';
import type { Store } from '../store/database/access.ts';
import type { VerifiedTemporal } from '../temporal/counterpart.ts';
import { closeExampleDatabase } from '../tools/examples/example-database.ts';
import { developmentSecret } from './development-secret.ts';
import { ownDataDir } from './own-data-dir.ts';
import { openProcess, settings, type Process } from './process.ts';
import { modelOf } from './model-of.ts';
import { startWorker } from './run-worker.ts';
import { agentFilesOf, startApi } from './serve-api.ts';
import { agentsBy, openServers as openToolServers } from './tool-servers.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

/** Whom the printed token is for. */
const READY_USER = 'ada';
const READY_ORG = 'acme';

const print = (line: string): void => console.log(line);

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('start', settings('start'), stopping, async (process) => {
    const { config, log } = process;
    ownDataDir(process);
    const files = agentFilesOf(config);
    for (const line of settingsInForce(config)) print(`  ${line}`);
    process.installRuntime();
    const servers = openToolServers(process);
    const opening = agentsBy(servers, files, process);
    const { store, temporal, workflows, child } = await openServers(process);
    const demo = config.model.kind === 'demo' ? await startDemoModel() : undefined;
    process.onClose(() => demo?.close());
    process.onClose(() => closeExampleDatabase());
    const outboxAndReconciler = process.startOutbox({ store, temporal }, { eager: true });
    const model = modelOf(config, process.tracing, demo);
    const worker = await process.open(
      startWorker({
        ...{ config, store, temporal, outboxAndReconciler, model, servers, workflows, log },
        ...{ meter: process.meter, tracing: process.tracing },
      }),
      (started) => started.stop(),
    );
    const registry = await process.open(opening, (opened) => opened.stop());
    const { agents } = registry;
    const makeReadyToken = (): Promise<string> => readyToken(config, [...agents.values()]);
    const token = handsOutTokens(config) ? await makeReadyToken() : null;
    const signIn = token === null ? undefined : createSignInLink(makeReadyToken);
    const uiUrl = child?.uiUrl ?? config.temporalUiUrl;
    const api = await startApi({
      config,
      store,
      agents: registry,
      temporal: () => temporal,
      outboxAndReconciler: () => outboxAndReconciler,
      working: worker.working,
      tracing: process.tracing,
      ...(signIn === undefined ? {} : { development: { exchange: signIn.exchange, uiUrl } }),
      log,
    });
    process.onClose(() => api.stop());
    await process.serveMetrics(store, api.notReady);
    const handbook = { dataDir: config.dataDir, orgId: READY_ORG, userId: READY_USER };
    const nudge = (): void => outboxAndReconciler.documents.nudge();
    if (token !== null && agents.has(HANDBOOK_AGENT))
      await fillHandbook({ store, ...handbook, nudge });
    print(
      welcomeText({
        apiUrl: api.url,
        consoleUrl: signIn?.link(api.url) ?? `${api.url}/`,
        uiUrl,
        temporalAddress: child?.address ?? null,
        token,
        agents: [...agents.keys()],
      }),
    );
    await Promise.race([worker.ended, process.untilStopped()]);
    print('Stopping: what is under way is handed back and goes on at the next start.');
  });

interface Servers {
  readonly store: Store;
  readonly temporal: VerifiedTemporal;
  readonly workflows: ReturnType<typeof bundleWorkflows>;
  /** undefined: TEMPORAL_ADDRESS names a server. */
  readonly child: TemporalServer | undefined;
}

/**
 * Database, workflow bundle and Temporal server come up side by side: the second start is to be
 * under 10 s.
 */
async function openServers(process: Process): Promise<Servers> {
  const { config } = process;
  const database = process.openStore(join(config.dataDir, 'database'));
  database.catch(() => undefined);
  const workflows = bundleWorkflows(process.log);
  workflows.catch(() => undefined);
  const child = config.temporal.address === null ? await temporalChild(process) : undefined;
  const store = await database;
  const temporal = await process.openTemporal(store, child?.address);
  return { store, temporal, workflows, child };
}

async function temporalChild({ config, stopping, open }: Process): Promise<TemporalServer> {
  const { dataDir, temporalCli, temporal } = config;
  const found = await open(
    findTemporal({ dataDir, configured: temporalCli, print, stopping }),
    () => undefined,
  );
  if (!found.ok) throw new Error(found.problem);
  const { namespace } = temporal;
  return open(
    startTemporalServer({ cliPath: found.path, dataDir, namespace, print, stopping }),
    (server) => server.stop(),
  );
}

/** Not where tokens come from another issuer's keys. */
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
    user: READY_USER,
    org: READY_ORG,
    roles: [...new Set(roles.map((role) => role.slice('role:'.length)))],
    scope: EVERYDAY_SCOPE,
    lifeS: config.maxTokenAgeS,
  });
}
