// Composition root of the worker role: activities over the store, the model and the tools, polled
// for by Temporal's worker. `npm run worker` runs it alone; start-all.ts beside the API, on the
// same connection.

import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { createDocumentActivities } from '../activities/documents/index.ts';
import type { Config } from '../config.ts';
import { settingsInForce } from '../settings/in-force.ts';
import { openDataDir } from '../data-dir.ts';
import type { Logger } from '../logger.ts';
import { createDocumentReader } from '../knowledge/extract/reader.ts';
import { createNotReady } from '../api/health/readiness.ts';
import type { Meter } from '../metrics/meter.ts';
import type { McpServers } from '../mcp/servers.ts';
import type { Model } from '../models/model.ts';
import { embedderOf } from './embedder.ts';
import { modelOf } from './model-of.ts';
import { openProcess, settings } from './process.ts';
import { openServers } from './tool-servers.ts';
import { bundleWorkflows } from './workflow-bundle.ts';
import type { Store } from '../store/database/access.ts';
import { countWithoutVector, vectorsThere } from '../store/knowledge/vectors.ts';
import type { Temporal } from '../temporal/connect.ts';
import { documentQueue } from '../temporal/document-workflows.ts';
import type { OutboxAndReconciler } from '../temporal/outbox-and-reconciler.ts';
import { codeTools } from '../tools/index.ts';
import { activitySpans } from '../tracing/activity-spans.ts';
import { tracedModel } from '../tracing/traced-model.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { createWebhookSender } from '../webhooks/sender.ts';

export interface WorkerParts {
  readonly config: Config;
  readonly store: Store;
  readonly temporal: Temporal;
  readonly outboxAndReconciler: OutboxAndReconciler;
  readonly model: Model;
  readonly meter: Meter;
  /** undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** Of agents' tools; the worker does not close them. */
  readonly servers: McpServers;
  /** Begun early by who has other things to wait for meanwhile. */
  readonly workflows: Promise<WorkflowBundle>;
  readonly log: Logger;
}

export interface RunningWorker {
  /**
   * Hands activities back and leaves; resolves when that is done. Rejects where the worker failed.
   */
  readonly stop: () => Promise<void>;
  readonly ended: Promise<void>;
  readonly working: () => boolean;
}

/**
 * A call under way when the process is asked to stop may end by itself in this time, then it is handed
 * back. The whole drain has 25 s.
 */
const GRACE = '12 seconds';
const FORCE = '18 seconds';

/**
 * A paused run in the cache holds about 170 KB here, and none out of it: 500 keep the busy ones
 * warm in 85 MB, and a run that was evicted costs one replay of some 20 events when its decision
 * comes.
 */
const MAX_CACHED_WORKFLOWS = 500;

/** A dead worker's runs go on elsewhere after this (10 s by default). */
const STICKY_TIMEOUT = '3 seconds';

/** A worker of its own does not know where the API listens; beside it, it is this process. */
const pageUrlOf = ({ publicUrl, role, host, port }: Config): string | undefined =>
  publicUrl ?? (role === 'start' && port !== 0 ? `http://${host}:${port}` : undefined);

export async function startWorker({
  config,
  store,
  temporal,
  outboxAndReconciler,
  model,
  meter,
  tracing,
  servers,
  workflows,
  log,
}: WorkerParts): Promise<RunningWorker> {
  openDataDir(config.dataDir);
  const worker = await Worker.create({
    connection: temporal.connection,
    namespace: temporal.settings.namespace,
    taskQueue: temporal.settings.taskQueue,
    workflowBundle: await workflows,
    activities: createActivities({
      store,
      model: meter.measured(tracing === undefined ? model : tracedModel(model, tracing)),
      ...(tracing === undefined ? {} : { tracing }),
      onCallEnded: meter.toolEnded,
      codeTools,
      secret: config.secret,
      dataDir: config.dataDir,
      egressAllow: config.egressAllow,
      embedder: embedderOf(config),
      mcp: servers,
      modelPatienceMs: config.modelPatienceS * 1000,
      operatorDecisions: config.operatorDecisions,
      pageUrl: pageUrlOf(config),
      onReleased: () => outboxAndReconciler.outbox.nudge(),
    }),
    ...(tracing === undefined ? {} : { interceptors: { activity: [activitySpans(tracing)] } }),
    maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    // Cancellation comes with a heartbeat's reply: no later than a second.
    maxHeartbeatThrottleInterval: '1 second',
    // Model calls and tools wait for others: slots cost memory, not CPU.
    maxConcurrentActivityTaskExecutions: 500,
    maxConcurrentWorkflowTaskExecutions: 100,
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
  });
  const documents = await startDocumentWorker({
    ...{ config, store, temporal, outboxAndReconciler, log },
  });
  const ran = worker.run();
  const ended = Promise.race([ran, documents.ended]);
  ended.catch((error: unknown) => log.error({ err: error }, 'the worker failed'));
  return {
    ended,
    working: () => worker.getState() === 'RUNNING',
    stop: async () => {
      const stopped = documents.stop();
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ran.catch(() => undefined);
      await stopped;
    },
  };
}

/**
 * Documents that are taken in at once by a worker: one is read while another waits for its vectors.
 * More would only share the processor, which runs need too.
 */
const DOCUMENTS_AT_ONCE = 2;

/** Another EMBEDDING_MODEL than before: its vectors are not compared with those that are there. */
async function saysWhatLacksVectors({
  config,
  store,
  log,
}: Pick<WorkerParts, 'config' | 'store' | 'log'>): Promise<void> {
  const model = embedderOf(config)?.model;
  if (model === undefined) return;
  try {
    const passages = await store.asWorker(async (tx) =>
      (await vectorsThere(tx)) ? countWithoutVector(tx, model) : 0,
    );
    if (passages > 0)
      log.warn({ model, passages }, 'passages have no vector of this model: npm run reembed');
  } catch {
    // Only a hint.
  }
}

/** Activities alone, on a queue of their own: a hundred documents are no run's concern. */
async function startDocumentWorker({
  config,
  store,
  temporal,
  outboxAndReconciler,
  log,
}: Pick<WorkerParts, 'config' | 'store' | 'temporal' | 'outboxAndReconciler' | 'log'>): Promise<
  Pick<RunningWorker, 'stop' | 'ended'>
> {
  const reader = createDocumentReader();
  const worker = await Worker.create({
    connection: temporal.connection,
    namespace: temporal.settings.namespace,
    taskQueue: documentQueue(temporal.settings.taskQueue),
    activities: createDocumentActivities({
      ...{ store, reader, embedder: embedderOf(config), egressAllow: config.egressAllow },
      onReplaced: () => outboxAndReconciler.documents.nudge(),
    }),
    maxConcurrentActivityTaskExecutions: DOCUMENTS_AT_ONCE,
    maxHeartbeatThrottleInterval: '1 second',
    shutdownGraceTime: '1 second',
    shutdownForceTime: FORCE,
  });
  void saysWhatLacksVectors({ config, store, log });
  const ended = worker.run();
  ended.catch(() => undefined);
  return {
    ended,
    stop: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended.catch(() => undefined);
      await reader.stop();
    },
  };
}

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('worker', settings('worker'), stopping, async (process) => {
    const { config, log } = process;
    process.installRuntime();
    log.info({ settings: settingsInForce(config) }, 'starting the worker');
    const workflows = bundleWorkflows(log);
    workflows.catch(() => undefined);
    const store = await process.openStore();
    const temporal = await process.openTemporal(store);
    const outboxAndReconciler = process.startOutbox({ store, temporal });
    const model = modelOf(config, process.tracing);
    const servers = openServers(process);
    const worker = await process.open(
      startWorker({
        ...{ config, store, temporal, outboxAndReconciler, model, servers, workflows, log },
        ...{ meter: process.meter, tracing: process.tracing },
      }),
      (started) => started.stop(),
    );
    // The address of the page: from the settings, else from the process that made the webhook.
    const webhooks = createWebhookSender({
      store,
      egressAllow: config.egressAllow,
      publicUrl: config.publicUrl ?? undefined,
      onDue: store.due.on,
      log,
    });
    process.onClose(() => webhooks.stop());
    const notReady = createNotReady({
      ...{ store, temporal: () => temporal, working: worker.working },
      draining: stopping,
    });
    await process.serveMetrics(store, notReady);
    log.info({ taskQueue: temporal.settings.taskQueue }, 'the worker polls');
    await Promise.race([worker.ended, process.untilStopped()]);
  });
