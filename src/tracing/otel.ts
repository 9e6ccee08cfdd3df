// Tracing by OpenTelemetry's SDK, sent as OTLP over HTTP. Loaded only where traces are wanted:
// nothing imports this file but by import().

import {
  context,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  RandomIdGenerator,
  type IdGenerator,
} from '@opentelemetry/sdk-trace-node';
import { withDeadline } from '../deadline.ts';
import { parseTraceparent, traceparentOf } from './traceparent.ts';
import type { OpenSpan, SpanAttributes, SpanToOpen, Tracing } from './tracing.ts';

const KIND = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const;

/** A collector that does not answer keeps no process from ending. */
const CLOSE_WITHIN_MS = 3000;

export interface OtelOptions {
  /** The base of OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly serviceName: string;
  readonly log: { readonly warn: (o: object, message: string) => void };
}

export function createOtelTracing({ url, serviceName, log }: OtelOptions): Tracing {
  const complain = (message: string): void => log.warn({ otel: message }, 'traces are not sent');
  diag.setLogger(
    { error: complain, warn: complain, info: noop, debug: noop, verbose: noop },
    DiagLogLevel.WARN,
  );
  const ids = new ChosenIds();
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    idGenerator: ids,
    spanProcessors: [
      new BatchSpanProcessor(
        new OTLPTraceExporter({ url: `${url.replace(/\/+$/, '')}/v1/traces` }),
      ),
    ],
  });
  provider.register();
  const tracer = provider.getTracer('holdpoint');

  return {
    current: () => {
      const open = trace.getSpanContext(context.active());
      return open === undefined ? undefined : traceparentOf(open);
    },
    inSpan: (asked, work) => {
      const parent = under(asked.parent);
      const span = tracer.startSpan(
        asked.name,
        { kind: KIND[asked.kind], attributes: withoutHoles(asked.attributes) },
        parent,
      );
      return context.with(trace.setSpan(parent, span), () => ended(span, work));
    },
    runEnded: ({ name, traceparent, parent, startedMs, attributes, errorType }) => {
      const own = parseTraceparent(traceparent);
      if (own === undefined) return;
      const options = { startTime: startedMs, attributes: withoutHoles(attributes) };
      const at = parent === undefined ? ROOT_CONTEXT : under(parent);
      const span = ids.choosing(own, () => tracer.startSpan(name, options, at));
      if (errorType !== undefined) markFailed(span, errorType);
      span.end();
    },
    close: () =>
      withDeadline(
        provider.shutdown().catch(() => undefined),
        CLOSE_WITHIN_MS,
        () => undefined,
      ),
  };
}

const noop = (): void => undefined;

function under(traceparent: SpanToOpen['parent']): Context {
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return parent === undefined ? context.active() : trace.setSpanContext(ROOT_CONTEXT, parent);
}

async function ended<T>(span: Span, work: (open: OpenSpan) => Promise<T>): Promise<T> {
  try {
    return await work({
      rename: (name) => void span.updateName(name),
      set: (attributes) => void span.setAttributes(withoutHoles(attributes)),
      failed: (errorType) => markFailed(span, errorType),
    });
  } catch (error) {
    // The class alone: messages may quote what nobody is to read there.
    markFailed(span, error instanceof Error ? error.name : 'Error');
    throw error;
  } finally {
    span.end();
  }
}

function markFailed(span: Span, errorType: string): void {
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

const withoutHoles = (attributes: SpanAttributes = {}): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));

/** Random, but for the one span whose ids its children know already. */
class ChosenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #chosen: SpanContext | undefined;
  readonly generateTraceId = (): string => this.#chosen?.traceId ?? this.#random.generateTraceId();
  readonly generateSpanId = (): string => this.#chosen?.spanId ?? this.#random.generateSpanId();

  /** `start` runs to its end at once. */
  choosing(chosen: SpanContext, start: () => Span): Span {
    this.#chosen = chosen;
    try {
      return start();
    } finally {
      this.#chosen = undefined;
    }
  }
}
