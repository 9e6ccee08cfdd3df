// The only way from a stored line to a delivery's body: the same for every attempt, and the same
// fields as the API shows. What is not named here never leaves.

import type { WebhookBody } from '../contract/webhook.ts';
import { presentOpenCall } from '../api/runs/present-pending.ts';
import { presentDecision } from '../api/runs/present.ts';
import type { LeasedDelivery } from '../store/webhooks/queue.ts';
import type { RecordAtEvent } from '../store/webhooks/new-deliveries.ts';

type RunData = Exclude<WebhookBody, { type: 'test' }>['data'];

/** `pageUrl`: where people reach the page, without a slash at its end. */
export function deliveryBody(delivery: LeasedDelivery, pageUrl: string): WebhookBody {
  const timestamp = delivery.createdAt.toISOString();
  const { event, record } = delivery;
  if (event === 'test' || !('runId' in record))
    return {
      type: 'test',
      timestamp,
      data: { orgId: delivery.orgId, webhookId: delivery.webhookId, link: `${pageUrl}/#/inbox` },
    };
  return { type: event, timestamp, data: runData(record, delivery.createdAt, pageUrl) };
}

function runData(record: RecordAtEvent, at: Date, pageUrl: string): RunData {
  const { pauseId, pause, decided, waitingFor, error, input, content } = record;
  return {
    orgId: record.orgId,
    agentId: record.agentId,
    runId: record.runId,
    sessionId: record.sessionId,
    userId: record.userId,
    status: record.status,
    ...(pauseId === undefined ? {} : { pauseId }),
    ...(pause === undefined
      ? {}
      : {
          pending: pause.calls.map((call) => presentOpenCall({ ...pause, createdAt: at }, call)),
        }),
    ...(decided === undefined
      ? {}
      : {
          callId: decided.callId,
          name: decided.name,
          decision: presentDecision(decided.decision),
        }),
    ...(waitingFor === undefined ? {} : { waitingFor }),
    ...(error === undefined ? {} : { error }),
    ...(input === undefined ? {} : { input }),
    ...(content ? { content } : {}),
    link: `${pageUrl}/#/runs/${record.runId}`,
  };
}
