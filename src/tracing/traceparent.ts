// The header `traceparent` of W3C Trace Context, version 00, and the one of a run's workflow: made of
// what every process knows of it, so that activities name their parent before it is sent.

import { createHash } from 'node:crypto';

export interface TracePlace {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const NOTHING = /^0+$/;

/** undefined: it is none, or none that may be used. */
export function parseTraceparent(text: string): TracePlace | undefined {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(text) ?? [];
  if (traceId === '' || text.startsWith('ff') || NOTHING.test(traceId) || NOTHING.test(spanId))
    return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 };
}

export const traceparentOf = ({ traceId, spanId, traceFlags }: TracePlace): string =>
  `00-${traceId}-${spanId}-${traceFlags % 2 === 1 ? '01' : '00'}`;

/**
 * Of one execution of a run's workflow. Below the request that started it, else, where that is not
 * known, a trace of its own.
 */
export function traceparentOfWorkflow(executionId: string, startedBy: string | undefined): string {
  const hash = createHash('sha256').update(executionId).digest('hex');
  const parent = startedBy === undefined ? undefined : parseTraceparent(startedBy);
  return traceparentOf({
    traceId: parent?.traceId ?? hash.slice(16, 48),
    spanId: hash.slice(0, 16),
    traceFlags: parent?.traceFlags ?? 1,
  });
}
