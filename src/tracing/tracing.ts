// What is traced where OTEL_EXPORTER_OTLP_ENDPOINT is set: requests, runs, their activities, calls of
// models and of tools. Names, ids and counts, no content. Without the setting `NO_TRACING` holds, and
// nothing of OpenTelemetry is loaded.

export type SpanKind = 'server' | 'client' | 'internal';
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanToOpen {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes?: SpanAttributes;
  /** W3C traceparent; absent: the span that is open here, if any. */
  readonly parent?: string | undefined;
}

export interface OpenSpan {
  readonly rename: (name: string) => void;
  readonly set: (attributes: SpanAttributes) => void;
  /** That it went wrong, and as what: a code, no words. */
  readonly failed: (errorType: string) => void;
}

/** A run's own span, told when it has ended. Its ids are what its activities already named as parent. */
export interface RunSpan {
  readonly name: string;
  /** Its own place, as its activities have it. */
  readonly traceparent: string;
  readonly parent: string | undefined;
  readonly startedMs: number;
  readonly attributes: SpanAttributes;
  readonly errorType?: string | undefined;
}

export interface Tracing {
  /** traceparent of the span that is open here, for what is asked of others. */
  readonly current: () => string | undefined;
  readonly inSpan: <T>(span: SpanToOpen, work: (open: OpenSpan) => Promise<T>) => Promise<T>;
  readonly runEnded: (run: RunSpan) => void;
  /** Sends what is left. */
  readonly close: () => Promise<void>;
}

const NO_SPAN: OpenSpan = {
  rename: () => undefined,
  set: () => undefined,
  failed: () => undefined,
};

export const NO_TRACING: Tracing = {
  current: () => undefined,
  inSpan: (_span, work) => work(NO_SPAN),
  runEnded: () => undefined,
  close: async () => undefined,
};
