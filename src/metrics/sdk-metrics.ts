// The metrics that Temporal's SDK keeps of its polls, tasks, slots and requests, on the page of this
// process. They come out of the SDK's buffer, so that it opens no port of its own. Names are the SDK's
// with the unit behind them, as Prometheus has it.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The SDK's `BufferedMetricUpdate`. */
export interface SdkUpdate {
  readonly metric: {
    readonly name: string;
    readonly kind: string;
    readonly unit?: string;
    readonly description?: string;
  };
  readonly value: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Labels have to be known before the first value. One that the SDK gives beside these is left out:
 * the counts are then of all its values together.
 */
const LABELS = [
  ...['namespace', 'task_queue', 'worker_type', 'poller_type', 'workflow_type', 'activity_type'],
  ...['operation', 'status_code', 'failure_reason', 'eager'],
] as const;

/** From a poll that finds work to one that waits for a minute. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

type Take = (labels: Readonly<Record<string, string>>, value: number) => void;

/** Takes updates, in their order. */
export function createSdkMetrics(registry: Registry): (updates: Iterable<SdkUpdate>) => void {
  const known = new Map<string, Take>();
  return (updates) => {
    for (const { metric, value, attributes } of updates) {
      let take = known.get(metric.name);
      if (take === undefined) known.set(metric.name, (take = takerOf(metric, registry)));
      take(labelsOf(attributes), value);
    }
  };
}

function takerOf({ name, kind, unit, description }: SdkUpdate['metric'], registry: Registry): Take {
  const timed = unit === 's' || unit === 'seconds';
  const as = {
    name: `${name.startsWith('temporal_') ? '' : 'temporal_'}${name}${timed ? '_seconds' : ''}`,
    help: description || `${name}, of Temporal's SDK.`,
    labelNames: LABELS,
    registers: [registry],
  };
  switch (kind) {
    case 'counter': {
      const counter = new Counter({ ...as, name: `${as.name.replace(/_total$/, '')}_total` });
      return (labels, value) => counter.inc(labels, value);
    }
    case 'histogram': {
      const histogram = new Histogram({ ...as, buckets: SECONDS });
      return (labels, value) => histogram.observe(labels, value);
    }
    case 'up-down-counter': {
      const gauge = new Gauge(as);
      return (labels, value) => gauge.inc(labels, value);
    }
    default: {
      const gauge = new Gauge(as);
      return (labels, value) => gauge.set(labels, value);
    }
  }
}

const labelsOf = (attributes: SdkUpdate['attributes']): Record<string, string> =>
  Object.fromEntries(
    LABELS.flatMap((label) => {
      const value = attributes[label];
      return value === undefined ? [] : [[label, String(value)]];
    }),
  );
