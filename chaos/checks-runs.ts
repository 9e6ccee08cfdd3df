// What the clients were told, against the runs' record: nothing acknowledged is lost, one key is
// one run, only declared edges, sessions in one order, events without gap.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { isTerminal } from './clients.ts';
import type { Problems } from './checks-effects.ts';
import type { EventRow, Evidence, RunRow } from './evidence.ts';
import { groupBy } from './group-by.ts';
import type { History } from './history.ts';
import { opOf } from './model.ts';

const TERMINAL_EVENTS: readonly string[] = ['STOP', 'CANCELLED', 'ERROR'];

export function checkRuns(
  evidence: Evidence,
  history: History,
  shown: ReadonlyMap<string, readonly string[]>,
): Problems {
  const rules = [
    'acknowledged-is-kept',
    'every-run-settles',
    'one-key-one-run',
    'votes-are-kept',
    'declared-edges',
  ] as const;
  const problems = new Map<string, string[]>(
    [...rules, 'events-without-gap', 'sessions-in-one-order'].map((rule) => [rule, []]),
  );
  const say = (rule: string, what: string): void => void problems.get(rule)?.push(what);

  const byId = new Map(evidence.runs.map((run) => [run.run_id, run]));
  const byOp = groupBy(evidence.runs, (run) => opOf(run.input));
  for (const op of history.ops) {
    const runs = byOp.get(op.id) ?? [];
    if (runs.length > 1)
      say('one-key-one-run', `${op.id}: ${runs.map((run) => run.run_id).join(' ')}`);
    for (const runId of op.runIds) {
      const run = byId.get(runId);
      if (run === undefined || opOf(run.input) !== op.id)
        say('acknowledged-is-kept', `${op.id}: ${runId} is not in the database`);
      else if (!isTerminal(run.status) && run.status !== 'PAUSED')
        say('every-run-settles', `${op.id} (${op.kind}): ${runId} is ${run.status}`);
      else if (isTerminal(op.status) && op.status !== run.status)
        say('declared-edges', `${op.id}: told ${op.status}, is ${run.status}`);
    }
    for (const vote of op.votes)
      if (
        !evidence.votes
          .get(vote.pauseId)
          ?.some((row) => row.call_id === vote.callId && row.action === vote.action)
      )
        say('votes-are-kept', `${op.id}: ${JSON.stringify(vote)}`);
  }

  for (const run of evidence.runs) {
    const events = evidence.events.get(run.run_id) ?? [];
    events.forEach(
      (event, i) =>
        event.seq === i + 1 ||
        say('events-without-gap', `${run.run_id}: ${event.seq} at place ${i + 1}`),
    );
    if (events.length !== run.event_seq)
      say('events-without-gap', `${run.run_id}: ${events.length} events, counted ${run.event_seq}`);
    const wrong = edgeProblem(run, events);
    if (wrong !== undefined)
      say(
        'declared-edges',
        `${run.run_id}: ${wrong} (${events.map((event) => event.kind).join(' ')})`,
      );
  }

  for (const runs of groupBy(
    evidence.runs,
    (run) => `${run.org_id} ${run.user_id} ${run.session_id}`,
  ).values())
    checkSession(runs, evidence, shown, say);
  return problems;
}

function edgeProblem(run: RunRow, events: readonly EventRow[]): string | undefined {
  let state = 'QUEUED';
  for (const { kind } of events) {
    if (isTerminal(state)) return `${kind} after the end`;
    if (kind === 'PAUSED' && state !== 'RUNNING') return `PAUSED from ${state}`;
    if (kind === 'RESUMED' && state !== 'PAUSED') return `RESUMED from ${state}`;
    if (state === 'PAUSED' && (kind === 'ATTEMPT' || kind === 'RETRY'))
      return 'the model was asked in a pause';
    if (kind === 'ATTEMPT' || kind === 'RETRY' || kind === 'RESUMED') state = 'RUNNING';
    if (kind === 'PAUSED') state = 'PAUSED';
    if (TERMINAL_EVENTS.includes(kind))
      state = kind === 'STOP' ? 'COMPLETED' : kind === 'CANCELLED' ? 'CANCELLED' : 'FAILED';
  }
  return state === run.status ? undefined : `the events say ${state}, the row ${run.status}`;
}

type Say = (rule: string, what: string) => void;

function checkSession(
  runs: readonly RunRow[],
  evidence: Evidence,
  shown: ReadonlyMap<string, readonly string[]>,
  say: Say,
): void {
  const before: { readonly input: string; readonly must: boolean }[] = [];
  let lastClosed = 0;
  for (const run of runs) {
    const began = evidence.events.get(run.run_id)?.find((event) => event.kind === 'ATTEMPT')?.at_ms;
    if (began !== undefined && began < lastClosed)
      say('sessions-in-one-order', `${run.run_id} began before the one ahead had ended`);
    const seen = shown.get(opOf(run.input));
    const due = before.flatMap(({ input, must }) => (must || seen?.includes(input) ? input : []));
    if (seen !== undefined && seen.join('\n') !== due.join('\n'))
      say(
        'sessions-in-one-order',
        `${run.run_id} was shown ${seen.map(opOf).join(' ') || 'nothing'}, not ${due.map(opOf).join(' ') || 'nothing'}`,
      );
    const stands = standsLater(run, evidence);
    if (stands !== 'NO') before.push({ input: run.input, must: stands === 'YES' });
    lastClosed = run.closed_ms ?? Infinity;
  }
}

/**
 * A run that ended without an answer stands in later transcripts with what it did; a call that was
 * under way at its end may have been handed back since.
 */
function standsLater(run: RunRow, { calls }: Evidence): 'YES' | 'MAYBE' | 'NO' {
  if (run.status === 'COMPLETED') return 'YES';
  const went = [...calls.values()].filter(
    (call) => call.run_id === run.run_id && call.dispatch_n > 0,
  );
  if (went.length === 0) return 'NO';
  return went.some(({ state }) => ['SUCCEEDED', 'FAILED', 'LEFT'].includes(state))
    ? 'YES'
    : 'MAYBE';
}

/** All the while: a state that is over never changes again, and none goes back to QUEUED. */
export async function watchStates(url: string, history: History, over: AbortSignal): Promise<void> {
  const seen = new Map<string, string>();
  while (!over.aborted) {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: 2000,
      query_timeout: 5000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      while (!over.aborted) {
        const { rows } = await client.query<{ run_id: string; status: string; mark: string }>(
          "select run_id, status, status || ' ' || md5(content || coalesce(error_message, '') || coalesce(closed_at::text, '')) mark from runs",
        );
        for (const { run_id: id, status, mark } of rows) {
          const before = seen.get(id);
          const was = before?.split(' ')[0];
          if (isTerminal(was) && before !== mark)
            history.found('terminal-never-changes', `${id}: ${before}, then ${mark}`);
          if (was !== undefined && was !== 'QUEUED' && status === 'QUEUED')
            history.found('declared-edges', `${id}: ${was} to QUEUED`);
          seen.set(id, mark);
        }
        for (const id of seen.keys())
          if (!rows.some((row) => row.run_id === id))
            history.found('acknowledged-is-kept', `${id} is gone`);
        await sleep(1500);
      }
    } catch {
      await sleep(500); // the database is away: that is the faults' work
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
