// The first schema. A migration that was released is never edited: the next one goes into a file of
// its own.

import { sql, type Kysely } from 'kysely';

const SCHEMA = `
create table agent_snapshots (
  revision text primary key,
  body jsonb not null,
  created_at timestamptz not null default now()
);

create table sessions (
  org_id text not null,
  user_id text not null,
  session_id uuid not null,
  agent_id text not null,
  run_count bigint not null default 0,
  created_at timestamptz not null default date_trunc('milliseconds', now()),
  updated_at timestamptz not null default date_trunc('milliseconds', now()),
  primary key (org_id, user_id, session_id)
);
create index sessions_by_time on sessions (org_id, created_at desc, session_id desc);

create table runs (
  run_id text primary key,
  org_id text not null,
  agent_id text not null,
  user_id text not null,
  started_by text not null,
  session_id uuid not null,
  session_seq bigint not null,
  status text not null check (status in ('QUEUED', 'RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED')),
  revision text not null references agent_snapshots,
  input text not null,
  options jsonb not null,
  generate_followups boolean not null default false,
  content text not null default '',
  model text,
  finish_reason text,
  prompt_tokens bigint not null default 0,
  completion_tokens bigint not null default 0,
  usage_estimated boolean not null default false,
  follow_ups jsonb,
  error_code text,
  error_message text,
  pause_id text,
  pauses int not null default 0,
  event_seq bigint not null default 0,
  turn int not null default 0,
  active_ms bigint not null default 0,
  request_id text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  closed_at timestamptz,
  foreign key (org_id, user_id, session_id) references sessions (org_id, user_id, session_id)
);
create index runs_by_time on runs (org_id, created_at desc, run_id desc);
create unique index runs_by_session on runs (org_id, user_id, session_id, session_seq);
create index runs_by_request on runs (org_id, request_id) where request_id is not null;
create index runs_open on runs (updated_at) where status in ('QUEUED', 'RUNNING', 'PAUSED');

create table turns (
  run_id text not null references runs on delete cascade,
  org_id text not null,
  turn int not null,
  kind text not null check (kind in ('ANSWER', 'CALLS')),
  text text not null,
  reasoning text not null,
  model text not null,
  finish_reason text not null,
  created_at timestamptz not null default now(),
  primary key (run_id, turn)
);

create table attempts (
  attempt_id uuid primary key,
  run_id text not null references runs on delete cascade,
  org_id text not null,
  turn int not null,
  kind text not null check (kind in ('MODEL', 'TOOL', 'FOLLOWUPS')),
  call_id text,
  model text,
  started_at timestamptz not null default clock_timestamp(),
  beat_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  fault text
);
create index attempts_by_run on attempts (run_id);

create table pauses (
  pause_id text primary key,
  run_id text not null references runs on delete cascade,
  org_id text not null,
  turn int not null,
  n int not null,
  kind text not null check (kind in ('APPROVAL', 'OUTCOME_UNKNOWN')),
  opened_at timestamptz not null,
  closed_at timestamptz,
  unique (run_id, turn, n)
);

create table calls (
  call_id text primary key,
  run_id text not null references runs on delete cascade,
  org_id text not null,
  turn int not null,
  idx int not null,
  name text not null,
  tool_version text not null,
  arguments text not null,
  arguments_hash text not null,
  approval text not null check (approval in ('required', 'never')),
  risk text not null check (risk in ('normal', 'high')),
  retry text not null check (retry in ('readOnly', 'idempotent', 'never')),
  approvers jsonb,
  state text not null check (state in ('PROPOSED', 'APPROVED', 'REJECTED', 'DISPATCHING', 'SUCCEEDED', 'FAILED', 'UNKNOWN', 'LEFT', 'CLOSED')),
  dispatch_n int not null default 0,
  unanswered int not null default 0,
  result text,
  duration_ms bigint not null default 0,
  dispatched_at timestamptz,
  evidence text,
  asked_again text,
  pause_id text,
  requested_at timestamptz,
  expires_at timestamptz,
  decided_pause_id text,
  proposed_arguments text,
  unique (run_id, turn, idx)
);
create index calls_open on calls (org_id, requested_at, call_id) where pause_id is not null;

create table votes (
  pause_id text not null references pauses on delete cascade,
  call_id text not null references calls on delete cascade,
  person text not null,
  run_id text not null,
  org_id text not null,
  action text not null check (action in ('APPROVE', 'REJECT')),
  reason text,
  at timestamptz not null,
  primary key (pause_id, call_id, person)
);
create index votes_by_run on votes (run_id);

create table decisions (
  pause_id text not null references pauses on delete cascade,
  call_id text not null references calls on delete cascade,
  run_id text not null,
  org_id text not null,
  action text not null check (action in ('APPROVE', 'REJECT')),
  deciders jsonb not null,
  reason text,
  arguments_hash text not null,
  proposed_arguments text,
  at timestamptz not null,
  primary key (pause_id, call_id)
);
create index decisions_by_run on decisions (run_id);

create table events (
  run_id text not null references runs on delete cascade,
  org_id text not null,
  seq bigint not null,
  kind text not null,
  data jsonb not null,
  turn int not null,
  at timestamptz not null,
  primary key (run_id, seq)
);

create table deltas (
  run_id text not null references runs on delete cascade,
  org_id text not null,
  seq bigint not null,
  chunk_offset bigint not null,
  kind text not null check (kind in ('CONTENT', 'REASONING')),
  text text not null,
  at timestamptz not null default now(),
  primary key (run_id, seq, chunk_offset)
);

create table idempotency_keys (
  org_id text not null,
  caller text not null,
  route text not null,
  agent_id text not null,
  target text not null,
  key text not null,
  body_hash text not null,
  run_id text not null,
  created_at timestamptz not null default now(),
  primary key (org_id, caller, route, agent_id, target, key)
);

create table audit (
  id bigint generated always as identity primary key,
  org_id text not null,
  run_id text,
  actor text not null,
  action text not null,
  data jsonb not null,
  at timestamptz not null default clock_timestamp()
);
create index audit_by_run on audit (run_id);

create table outbox (
  id bigint generated always as identity primary key,
  run_id text not null,
  org_id text not null,
  line_key text not null unique,
  kind text not null check (kind in ('START', 'SIGNAL', 'CANCEL')),
  payload jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  claimed_until timestamptz,
  acknowledged_at timestamptz,
  attempts int not null default 0
);
create index outbox_open on outbox (id) where acknowledged_at is null;
create index outbox_by_run on outbox (run_id, id);

create table reconciler_state (
  name text primary key,
  watermark timestamptz not null
);
`;

export const first = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql.raw(SCHEMA).execute(db);
  },
};
