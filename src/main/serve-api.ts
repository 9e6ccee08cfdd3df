// Composition root of the API role: the app over the store, outbox and reconciler, listening, and
// draining when asked to stop. `npm run api` runs it alone; start-all.ts beside the worker.

import type { Server } from 'node:http';
import gracefulShutdown from 'http-graceful-shutdown';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import { loadAgents, type LoadedAgents } from '../agents/load-agents.ts';
import type { Config } from '../config.ts';
import { settingsInForce } from '../settings/in-force.ts';
import type { Logger } from '../logger.ts';
import { developmentSecret } from './development-secret.ts';
import { embedderOf } from './embedder.ts';
import { openProcess, settings } from './process.ts';
import { agentsBy, openServers } from './tool-servers.ts';
import type { Store } from '../store/database/access.ts';
import type { RunLimits } from '../store/runs/run-limits.ts';
import type { CheckEdit } from '../store/calls/edits.ts';
import type { Temporal } from '../temporal/connect.ts';
import type { OutboxAndReconciler } from '../temporal/outbox-and-reconciler.ts';
import { checkArguments } from '../tools/arguments.ts';
import { codeTools } from '../tools/index.ts';
import { createApp } from '../api/app.ts';
import { createAuthenticate } from '../api/auth/authenticate.ts';
import type { ConsoleDeps } from '../api/console/console-layer.ts';
import { readConsoleFiles } from '../api/console/page.ts';
import { createNotReady } from '../api/health/readiness.ts';
import { createRequestCounts, type RequestCounts } from '../api/limits/request-counts.ts';
import type { RequestLimits } from '../api/limits/request-limits.ts';
import { createGuardedServer } from '../api/http/slow-clients.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { createWebhookSender } from '../webhooks/sender.ts';

export interface ApiParts {
  readonly config: Config;
  readonly store: Store;
  readonly agents: AgentRegistry;
  /** undefined until the server has answered once: then starts are accepted and sent later. */
  readonly temporal: () => Temporal | undefined;
  readonly outboxAndReconciler: () => OutboxAndReconciler | undefined;
  readonly working?: () => boolean;
  /** undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** What `npm start` adds to the console: its own sign-in, and where its Web UI is. */
  readonly development?: {
    readonly exchange: (code: string) => Promise<string | undefined>;
    readonly uiUrl: string | null;
  };
  readonly log: Logger;
}

export interface RunningApi {
  readonly url: string;
  /** Problems as sentences; empty when ready. */
  readonly notReady: () => Promise<readonly string[]>;
  /** Waiting callers are answered as their runs are, then the sockets close. */
  readonly stop: () => Promise<void>;
}

/** Waiters answer within milliseconds of the drain; what writes longer than this is cut. */
const DRAIN_MS = 5000;

const checkEdit: CheckEdit = (tool, edited) => {
  const checked = checkArguments(JSON.stringify(edited), tool);
  return checked.ok ? { canonical: checked.canonical } : { problem: checked.problem };
};

export async function startApi(parts: ApiParts): Promise<RunningApi> {
  const { config, store, agents, working, log } = parts;
  const draining = new AbortController();
  // Known when it listens, before the first request.
  let listensAt = '';
  const notReady = createNotReady({
    store,
    temporal: parts.temporal,
    draining: draining.signal,
    ...(working === undefined ? {} : { working }),
  });
  const counts = createRequestCounts(store);
  const app = createApp({
    store,
    agents: agents.agents,
    isWaiting: agents.isWaiting,
    authenticate: authenticateBy(config),
    send: async (runId, line) =>
      (await parts.outboxAndReconciler()?.outbox.send(runId, line)) ?? false,
    notReady,
    nudgeDocuments: () => parts.outboxAndReconciler()?.documents.nudge(),
    embedder: embedderOf(config),
    syncWaitMaxMs: config.syncWaitMaxS * 1000,
    draining: draining.signal,
    checkEdit,
    egressAllow: config.egressAllow,
    corsOrigins: config.corsOrigins,
    console: consoleOf(config, parts.development),
    pageUrl: () => config.publicUrl ?? listensAt,
    requestLimits: requestLimitsOf(config, counts),
    runLimits: runLimitsOf(config),
    ...(parts.tracing === undefined ? {} : { tracing: parts.tracing }),
    log,
  });
  const handle = app.callback();
  const server = createGuardedServer((req, res) => void handle(req, res), {
    keepAliveMs: config.keepAliveS * 1000,
    maxConnections: config.maxConnections,
  });
  const shutdown = gracefulShutdown(server, { signals: '', timeout: DRAIN_MS, forceExit: false });
  await listen(server, config);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  listensAt = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  const webhooks = createWebhookSender({
    store,
    egressAllow: config.egressAllow,
    publicUrl: config.publicUrl ?? listensAt,
    onDue: store.due.on,
    log,
  });
  return {
    url: listensAt,
    notReady,
    stop: async () => {
      draining.abort();
      await Promise.all([shutdown(), webhooks.stop()]);
      await counts.stop();
    },
  };
}

const requestLimitsOf = ({ limits }: Config, counts: RequestCounts): RequestLimits => ({
  perUser: limits.requestsPerUser,
  perOrg: limits.requestsPerOrg,
  openPerUser: limits.openRequestsPerUser,
  counts,
});

const runLimitsOf = ({ limits }: Config): RunLimits => ({
  perOrg: limits.runsPerOrg,
  perAgent: limits.runsPerAgent,
  pausedPerOrg: limits.pausedPerOrg,
  fewPausedUntil: new Map(),
});

const authenticateBy = (config: Config): ReturnType<typeof createAuthenticate> =>
  createAuthenticate({
    ...config,
    auth:
      config.auth.kind === 'development'
        ? { kind: 'secret', secret: developmentSecret(config.dataDir) }
        : config.auth,
  });

function consoleOf(config: Config, development: ApiParts['development']): ConsoleDeps {
  const uiUrl = development?.uiUrl ?? config.temporalUiUrl;
  const { oidc, auth, temporal } = config;
  return {
    files: readConsoleFiles(),
    settings: {
      signIn:
        oidc === null
          ? { kind: development === undefined ? 'token' : 'link' }
          : { kind: 'oidc', ...oidc, audience: auth.kind === 'jwks' ? auth.audience : null },
      workflowsUrl: uiUrl === null ? null : `${uiUrl}/namespaces/${temporal.namespace}/workflows/`,
    },
    ...(development === undefined ? {} : { exchange: development.exchange }),
  };
}

function listen(server: Server, { host, port }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? `Port ${port} on ${host} is taken. Set PORT to a free one, or stop what listens there.`
          : `Cannot listen on ${host}:${port} (${error.code ?? error.message}).`;
      reject(new Error(why));
    });
    server.listen(port, host, () => resolve());
  });
}

/** All agent files, or all their problems. Servers of tools are still to be asked. */
export function agentFilesOf(config: Config): Extract<LoadedAgents, { agents: unknown }> {
  const { secret, production } = config;
  const loaded = loadAgents(config.agentsDir, { codeTools, secret, production });
  if ('problems' in loaded)
    throw new Error(
      `The agent files have problems:\n${loaded.problems.map((p) => `  ${p}`).join('\n')}`,
    );
  for (const notice of loaded.notices) console.error(`Agents: ${notice}`);
  return loaded;
}

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('api', settings('api'), stopping, async (process) => {
    const { config, log } = process;
    const files = agentFilesOf(config);
    process.installRuntime();
    log.info({ settings: settingsInForce(config) }, 'starting the API');
    const opening = agentsBy(openServers(process), files, process);
    const store = await process.openStore();
    const agents = await process.open(opening, (opened) => opened.stop());
    // The API listens before Temporal has answered: reads need none, and a start is kept in the
    // outbox.
    const there: { temporal?: Temporal; outboxAndReconciler?: OutboxAndReconciler } = {};
    const api = await startApi({
      config,
      store,
      agents,
      temporal: () => there.temporal,
      outboxAndReconciler: () => there.outboxAndReconciler,
      tracing: process.tracing,
      log,
    });
    try {
      log.info({ url: api.url }, 'the API listens');
      await process.serveMetrics(store, api.notReady);
      const temporal = await process.openTemporal(store);
      there.temporal = temporal;
      there.outboxAndReconciler = process.startOutbox({ store, temporal });
      await process.untilStopped();
    } finally {
      // Before the outbox and the connection, which answers under way still use.
      await api.stop();
    }
  });
