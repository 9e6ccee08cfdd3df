// A process from its settings to its end: what it opens goes on one stack and is closed in reverse,
// whether it was stopped or a later step threw. The stop signal interrupts whatever is being
// opened.

import { once } from 'node:events';
import { startSealer } from '../audit/sealer.ts';
import { configFromEnvironment, type Config, type Role } from '../config.ts';
import { keepFilesPrivate } from '../data-dir.ts';
import { untilAborted, withDeadline } from '../deadline.ts';
import { createLogger, type Logger } from '../logger.ts';
import { listenForMetrics, type ListenerParts, type MetricsListener } from '../metrics/listener.ts';
import { createMeter, type Meter } from '../metrics/meter.ts';
import { createRecordGauges } from '../metrics/record-gauges.ts';
import type { Store } from '../store/database/access.ts';
import { openStore, openWhenThere } from '../store/database/open-store.ts';
import { connectTemporal, connectWhenThere } from '../temporal/connect.ts';
import { verifyTemporal, type VerifiedTemporal } from '../temporal/counterpart.ts';
import {
  createOutboxAndReconciler,
  type OutboxAndReconciler,
} from '../temporal/outbox-and-reconciler.ts';
import { searchAttributesProblem } from '../temporal/search-attributes.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { auditParts } from './audit-parts.ts';
import { installRuntime } from './runtime.ts';

type Close = () => unknown;
type NotReady = () => Promise<readonly string[]>;

export interface Process {
  readonly config: Config;
  readonly log: Logger;
  readonly stopping: AbortSignal;
  /** Closed when the process ends, before everything that was opened earlier. */
  readonly onClose: (close: Close) => void;
  /**
   * Waits for something to open and closes it at the end. Rejects at once when the process is asked
   * to stop; what opens after that is closed all the same, if it opens within `lateMs`.
   */
  readonly open: <T>(
    opening: Promise<T>,
    close: (opened: T) => unknown,
    lateMs?: number,
  ) => Promise<T>;
  /** The PostgreSQL server, waited for; or the embedded database in `dir`. */
  readonly openStore: (dir?: string) => Promise<Store>;
  /**
   * The Temporal server, waited for; or the one at `address`, which is there. Throws where it is not
   * the one that the store belongs to.
   */
  readonly openTemporal: (store: Store, address?: string) => Promise<VerifiedTemporal>;
  readonly startOutbox: (
    parts: { readonly store: Store; readonly temporal: VerifiedTemporal },
    options?: { readonly eager: boolean },
  ) => OutboxAndReconciler;
  /** Of Temporal's SDK: before any connection to Temporal is made. */
  readonly installRuntime: () => void;
  /** undefined: OTEL_EXPORTER_OTLP_ENDPOINT is not set. */
  readonly tracing: Tracing | undefined;
  /** Counts what this process does. */
  readonly meter: Meter;
  /** /metrics and /health on the second listener; nothing where METRICS_PORT is 0. */
  readonly serveMetrics: (store: Store, notReady: NotReady) => Promise<void>;
  /** Resolves when the process is asked to stop, or has been. */
  readonly untilStopped: () => Promise<void>;
}

/** A connection that is being made when the process stops is given this long, then left. */
const LATE_MS = 2000;
/** A new embedded database takes seconds to make; half of one could not be opened again. */
const EMBEDDED_LATE_MS = 20_000;

/** The settings, or all their problems as one error. */
export function settings(role: Role): Config {
  const result = configFromEnvironment(role);
  if (result.ok) return result.config;
  const { problems } = result;
  throw new Error(
    `The settings have ${problems.length === 1 ? 'a problem' : 'problems'}:\n${problems.map((p) => `  ${p}`).join('\n')}`,
  );
}

/** Runs `use` with a process that is closed when it returns or throws. */
export async function openProcess(
  name: string,
  config: Config,
  stopping: AbortSignal,
  use: (process: Process) => Promise<void>,
): Promise<void> {
  stopping.throwIfAborted();
  keepFilesPrivate();
  const log = createLogger({ level: config.logLevel, name });
  const stack: Close[] = [];
  try {
    const tracing = await openTracing({
      url: config.traces,
      serviceName: `holdpoint-${name}`,
      log,
    });
    // Last of all: what is closed before may still be traced.
    if (tracing !== undefined) stack.push(tracing.close);
    await use(createProcess({ config, log, stopping, tracing }, stack));
  } finally {
    for (const close of stack.toReversed())
      try {
        await close();
      } catch (error) {
        log.warn({ err: error }, 'something could not be closed');
      }
  }
}

function createProcess(
  { config, log, stopping, tracing }: Pick<Process, 'config' | 'log' | 'stopping' | 'tracing'>,
  stack: Close[],
): Process {
  const open: Process['open'] = async (opening, close, lateMs = LATE_MS) => {
    stack.push(() => inTime(opening, close, lateMs));
    return untilAborted(opening, stopping);
  };
  const meter = createMeter();
  return {
    config,
    log,
    stopping,
    tracing,
    meter,
    onClose: (close) => void stack.push(close),
    open,
    openStore: async (dir = '') => {
      const opening =
        config.databaseUrl === null
          ? openStore({ ...config, dir })
          : openWhenThere(config, log, stopping);
      const lateMs = config.databaseUrl === null ? EMBEDDED_LATE_MS : LATE_MS;
      const { store } = await open(opening, (opened) => opened.close(), lateMs);
      store.onRunEnded(meter.runEnded);
      return store;
    },
    installRuntime: () =>
      void stack.push(installRuntime({ log, meter: config.metrics === null ? undefined : meter })),
    serveMetrics: async (store, notReady) => {
      if (config.metrics === null) return;
      const at = { ...config.metrics, notReady };
      const { url } = await open(metricsOf(store, meter, at), (listener) => listener.close());
      log.info({ url: `${url}/metrics` }, 'metrics are read here');
    },
    openTemporal: (store, address) => openTemporal({ config, log, stopping, open }, store, address),
    startOutbox: ({ store, temporal }, { eager } = { eager: false }) => {
      stack.push(startSealing(config, store, log));
      const started = createOutboxAndReconciler({
        ...{ store, temporal, eager, retentionDays: config.retentionDays, log },
        onCorrected: meter.corrected,
      });
      stack.push(() => started.stop());
      return started;
    },
    untilStopped: async () => {
      if (!stopping.aborted) await once(stopping, 'abort');
    },
  };
}

async function openTemporal(
  { config, log, stopping, open }: Pick<Process, 'config' | 'log' | 'stopping' | 'open'>,
  store: Store,
  address: string | undefined,
): Promise<VerifiedTemporal> {
  const temporal = await open(
    address === undefined
      ? connectWhenThere(config.temporal, log, stopping)
      : connectTemporal({ ...config.temporal, address }),
    (opened) => opened.close(),
  );
  const met = await untilAborted(verifyTemporal(store, temporal), stopping);
  const problem = await searchAttributesProblem(temporal);
  if (problem !== undefined) throw new Error(problem);
  return met;
}

function startSealing(config: Config, store: Store, log: Logger): Close {
  const audit = auditParts(config, { makes: config.role === 'start' });
  return audit === null
    ? () => undefined
    : startSealer({ ...{ store, log }, ...audit, onDue: (look) => store.due.on('audit', look) })
        .stop;
}

function metricsOf(
  store: Store,
  { registry }: Meter,
  at: Pick<ListenerParts, 'host' | 'port' | 'mayMove' | 'notReady'>,
): Promise<MetricsListener> {
  const { look } = createRecordGauges(store, registry);
  return listenForMetrics({ ...at, registry, look });
}

/** Closes what opens; one that does not open in time, or cannot, needs no closing. */
async function inTime<T>(
  opening: Promise<T>,
  close: (opened: T) => unknown,
  lateMs: number,
): Promise<void> {
  const settled = opening.then(
    (value) => ({ value }),
    () => undefined,
  );
  const opened = await withDeadline(settled, lateMs, () => undefined);
  if (opened !== undefined) await close(opened.value);
}
