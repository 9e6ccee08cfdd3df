// New deliveries of webhooks: one line for each webhook that wants the event, written in the
// transaction of the change itself and sent afterwards by webhooks/sender.ts. A line keeps what was
// so then; its key is unique for a webhook, so that a repeated transaction finds its own line, and
// its id, by which the receiver recognises repetitions, follows from both.

import { sql, type RawBuilder } from 'kysely';
import type { RunFailure, RunStatus } from '../../contract/names.ts';
import type { WebhookEvent } from '../../contract/webhook.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { RecordedDecision } from '../queries/call-record.ts';
import type { RunRecord } from '../queries/run-record.ts';

/** What a line keeps; webhooks/body.ts makes the body of it. */
export interface RecordAtEvent {
  readonly orgId: string;
  readonly agentId: string;
  readonly runId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly status: RunStatus;
  readonly error?: RunFailure;
  /** Only for webhooks that include the conversation. */
  readonly input?: string;
  readonly content?: string;
  readonly pauseId?: string;
  readonly pause?: PauseAtEvent;
  readonly decided?: {
    readonly callId: string;
    readonly name: string;
    readonly decision: RecordedDecision;
  };
  readonly waitingFor?: Readonly<Record<string, unknown>>;
}

export type PauseAtEvent = Pick<RunRecord, 'quorum' | 'fourEyes' | 'calls'>;

const pauseOf = ({ quorum, fourEyes, calls }: PauseAtEvent): PauseAtEvent => ({
  quorum,
  fourEyes,
  calls,
});

/** From when it is written, or it is asked for once more, until it is given up. */
export const GIVE_UP_AFTER = sql.lit('24 hours');

interface EventToDeliver {
  readonly runId: string;
  readonly event: WebhookEvent;
  /** Over `r`, the run, and whatever `from` adds: what distinguishes the event from others. */
  readonly key: RawBuilder<string>;
  /** jsonb beside what every event says of its run. */
  readonly details?: RawBuilder<unknown>;
  readonly from?: RawBuilder<unknown>;
}

function addDeliveries(tx: StoreTransaction, t: EventToDeliver): void {
  // Locked, or a webhook that is deleted at this moment would fail the change itself: its line
  // refers to it.
  tx.write(sql`
    insert into webhook_deliveries (delivery_id, webhook_id, org_id, run_id, event, event_key, record, give_up_at)
    select 'msg_' || left(encode(sha256(convert_to(due.webhook_id || ' ' || due.key, 'UTF8')), 'hex'), 32),
      due.webhook_id, due.org_id, due.run_id, ${t.event}, due.key, due.record, clock_timestamp() + ${GIVE_UP_AFTER}::interval
    from (
      select w.webhook_id, w.org_id, r.run_id, ${t.event} || ' ' || (${t.key}) as key,
        jsonb_build_object('orgId', r.org_id, 'agentId', r.agent_id, 'runId', r.run_id, 'sessionId', r.session_id,
          'userId', r.user_id, 'status', r.status)
        || case when r.status = 'FAILED'
             then jsonb_build_object('error', jsonb_build_object('code', r.error_code, 'message', r.error_message)) else '{}' end
        || case when w.include ? 'conversation'
             then jsonb_build_object('input', r.input, 'content', case when r.status = 'COMPLETED' then r.content else '' end) else '{}' end
        || ${t.details ?? sql`'{}'::jsonb`} as record
      from runs r join webhooks w on w.org_id = r.org_id ${t.from ?? sql``}
      where r.run_id = ${t.runId} and w.active and w.events ? ${t.event}
      for key share of w
    ) due
    on conflict (webhook_id, event_key) do nothing`);
}

const json = (value: unknown): RawBuilder<unknown> => sql`${JSON.stringify(value)}::jsonb`;

const ofPause =
  (event: 'run.paused' | 'approval.expiring') =>
  (tx: StoreTransaction, runId: string, pauseId: string, pause: PauseAtEvent): void =>
    addDeliveries(tx, {
      runId,
      event,
      key: sql<string>`${pauseId}::text`,
      details: json({ pauseId, pause: pauseOf(pause) }),
    });
export const addPausedDeliveries = ofPause('run.paused');
export const addExpiringDeliveries = ofPause('approval.expiring');

/** After the run's last event was appended: a run that is taken up again ends once more. */
export const addSettledDeliveries = (tx: StoreTransaction, runId: string): void =>
  addDeliveries(tx, {
    runId,
    event: 'run.settled',
    key: sql<string>`r.run_id || ' ' || r.event_seq`,
  });

/** Of these calls those that the pause's votes, or its expiry, have decided. */
export const addDecidedDeliveries = (
  tx: StoreTransaction,
  runId: string,
  pauseId: string,
  callIds: readonly string[],
): void =>
  addDeliveries(tx, {
    runId,
    event: 'approval.decided',
    key: sql<string>`d.pause_id || ' ' || d.call_id`,
    from: sql`join decisions d on d.run_id = r.run_id and d.pause_id = ${pauseId} and d.call_id = any(${callIds})
      join calls c on c.call_id = d.call_id`,
    details: sql`jsonb_build_object('pauseId', d.pause_id, 'decided', jsonb_build_object('callId', c.call_id, 'name', c.name,
      'decision', jsonb_build_object('action', d.action, 'by', d.deciders, 'reason', d.reason, 'proposedArguments', d.proposed_arguments,
        'at', to_char(d.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))))`,
  });

/** `since`: a run may wait for its model several times. */
export const addWaitingDeliveries = (
  tx: StoreTransaction,
  runId: string,
  waitingFor: { readonly since: string } & Readonly<Record<string, unknown>>,
): void =>
  addDeliveries(tx, {
    runId,
    event: 'run.waiting',
    key: sql<string>`r.run_id || ' ' || ${waitingFor.since}::text`,
    details: json({ waitingFor }),
  });
