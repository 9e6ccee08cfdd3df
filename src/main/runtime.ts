// Temporal's SDK in this process: its log lines become ours, its metrics stand on our page. Before
// any connection is made.

import { MetricsBuffer, Runtime } from '@temporalio/worker';
import type { Logger } from '../logger.ts';
import type { Meter } from '../metrics/meter.ts';
import { createSdkMetrics } from '../metrics/sdk-metrics.ts';
import { createSdkLogger } from '../temporal/sdk-log.ts';

/** Some hundreds of updates a run: what is left in the buffer between two takings must fit into it. */
const BUFFERED = 100_000;
const TAKEN_EVERY_MS = 2000;

export interface RuntimeParts {
  readonly log: Logger;
  /** undefined: nobody reads metrics here. */
  readonly meter: Pick<Meter, 'registry'> | undefined;
}

/** Returns what ends the taking. Signals are ours to handle: the drain has an order. */
export function installRuntime({ log, meter }: RuntimeParts): () => void {
  const buffer = new MetricsBuffer({ maxBufferSize: BUFFERED, useSecondsForDurations: true });
  Runtime.install({
    shutdownSignals: [],
    logger: createSdkLogger(log),
    ...(meter === undefined
      ? {}
      : { telemetryOptions: { metrics: { buffer, attachServiceName: false } } }),
  });
  if (meter === undefined) return () => undefined;
  const take = createSdkMetrics(meter.registry);
  const timer = setInterval(() => take(buffer.retrieveUpdates()), TAKEN_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
