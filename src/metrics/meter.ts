// What a process counts of its own work, and the page that Prometheus reads it from. Counts are of
// this process since it started; what is read of the record at each look is record-gauges.ts's.
// Labels are agents, tools, models and states: nothing that a caller writes.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CountedOutcome } from '../activities/run-tool.ts';
import { ModelError, type Model } from '../models/model.ts';
import type { RunEnd } from '../store/database/access.ts';
import type { Correction } from '../temporal/compare-run.ts';

export interface Meter {
  readonly registry: Registry;
  readonly runEnded: (end: RunEnd) => void;
  readonly toolEnded: (tool: string, outcome: CountedOutcome) => void;
  readonly corrected: (what: Correction) => void;
  /** The same model, its calls counted. */
  readonly measured: (model: Model) => Model;
}

/** From an answer out of the cache to a run of a hundred turns. */
const RUN_SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900];
/** People: from a glance to a weekend. */
const PEOPLE_SECONDS = [10, 60, 300, 900, 3600, 14_400, 86_400, 259_200];
const MODEL_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240];

export function createMeter(): Meter {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const runs = new Counter({
    name: 'holdpoint_runs_ended_total',
    help: 'Runs that ended here, by agent, status and error code.',
    labelNames: ['agent', 'status', 'code'],
    registers,
  });
  const settleSeconds = new Histogram({
    name: 'holdpoint_run_seconds',
    help: 'From the start of a run to its end, without the time it waited for people.',
    labelNames: ['agent', 'status'],
    buckets: RUN_SECONDS,
    registers,
  });
  const peopleSeconds = new Histogram({
    name: 'holdpoint_run_waited_for_people_seconds',
    help: 'How long a run that ended had waited for people, of those that did.',
    labelNames: ['agent'],
    buckets: PEOPLE_SECONDS,
    registers,
  });
  const tools = new Counter({
    name: 'holdpoint_tool_calls_total',
    help: 'Dispatched calls by what came of them; unknown: it may have happened, and people are asked.',
    labelNames: ['tool', 'outcome'],
    registers,
  });
  const corrections = new Counter({
    name: 'holdpoint_reconciler_corrections_total',
    help: 'Where the record and Temporal differed, and what was done.',
    labelNames: ['what'],
    registers,
  });
  return {
    registry,
    runEnded: ({ agentId: agent, status, code, seconds, waitedSeconds }) => {
      runs.inc({ agent, status, code: code ?? '' });
      settleSeconds.observe({ agent, status }, Math.max(0, seconds - waitedSeconds));
      if (waitedSeconds > 0) peopleSeconds.observe({ agent }, waitedSeconds);
    },
    toolEnded: (tool, outcome) => tools.inc({ tool, outcome }),
    corrected: (what) => corrections.inc({ what }),
    measured: measuring(registers),
  };
}

function measuring(registers: Registry[]): Meter['measured'] {
  const seconds = new Histogram({
    name: 'holdpoint_model_seconds',
    help: 'One call of a model, to its end; fault: why it failed, empty where it did not.',
    labelNames: ['model', 'fault'],
    buckets: MODEL_SECONDS,
    registers,
  });
  const tokens = new Counter({
    name: 'holdpoint_model_tokens_total',
    help: 'Tokens as the provider reported them.',
    labelNames: ['model', 'kind'],
    registers,
  });
  const underWay = new Gauge({
    name: 'holdpoint_model_calls_under_way',
    help: 'Calls of models that are under way in this process.',
    registers,
  });
  return (model) => ({
    stream: async (request, ...rest) => {
      const stop = seconds.startTimer({ model: request.model });
      underWay.inc();
      try {
        const reply = await model.stream(request, ...rest);
        stop({ fault: '' });
        const { promptTokens = 0, completionTokens = 0 } = reply.usage ?? {};
        tokens.inc({ model: request.model, kind: 'prompt' }, promptTokens);
        tokens.inc({ model: request.model, kind: 'completion' }, completionTokens);
        return reply;
      } catch (error) {
        stop({ fault: error instanceof ModelError ? error.fault : 'ERROR' });
        throw error;
      } finally {
        underWay.dec();
      }
    },
  });
}
