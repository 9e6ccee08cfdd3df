// `npx holdpoint …`: what an operator does by hand. Through the API with a token; `check` and `audit`
// ask the database, with the settings that a worker has, because only it can say.

import { parseArgs } from 'node:util';
import type * as Database from './admin-database.ts';
import { createAdminApi, type AdminApi } from '../admin/ask-api.ts';
import { whyStuck } from '../admin/stuck.ts';
import { configFromEnvironment } from '../config.ts';
import { RunResponseSchema } from '../contract/run.ts';

const USAGE = `usage: npx holdpoint COMMAND

  waits                      what waits for people (runs:approve)
  stuck [--minutes 15]       open runs that have not moved, and why (runs:read, admin)
  cancel RUN                 (runs:cancel, admin)
  retry RUN                  takes a failed run up again (runs:write, admin)
  usage --database [--from TIME] [--to TIME]                runs and tokens of each org
  send --database            what Temporal has not taken yet, now and from here
  check --database           every open run against its workflow, and the other way round
  replay                     every open run's history against the code that is here (Temporal's settings)
  audit --database --org ORG [--from TIME] [--to TIME]      as lines of JSON
  token …                    as npm run token

  --url (HOLDPOINT_URL, http://127.0.0.1:8080) and --token (HOLDPOINT_TOKEN) say where and as whom.`;

const text = { type: 'string' } as const;
const OPTIONS = {
  ...{ url: text, token: text, org: text, from: text, to: text, minutes: text },
  database: { type: 'boolean' },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function main(stopping: AbortSignal): Promise<void> {
  const [command = '', ...rest] = process.argv.slice(2);
  const { values: flags, positionals } = parseArgs({
    ...{ args: rest, options: OPTIONS, allowPositionals: true, strict: true },
  });
  switch (command) {
    case 'waits':
      return showWaiting(apiOf(flags));
    case 'stuck':
      return showStuck(apiOf(flags), Number(flags.minutes ?? 15));
    case 'cancel':
      await apiOf(flags).ask('DELETE', `/api/runs/${runNamed(positionals)}`);
      return print('It is cancelled, or had ended before.');
    case 'retry':
      return showRun(await apiOf(flags).ask('POST', `/api/runs/${runNamed(positionals)}/retry`));
    case 'usage':
      return (await onDatabase(flags)).showUsage(flags, stopping);
    case 'send':
      return (await onDatabase(flags)).sendAgain(stopping);
    case 'check':
      return (await onDatabase(flags)).check(stopping);
    case 'replay':
      return (await import('./admin-replay.ts')).replay(stopping);
    case 'audit':
      return (await onDatabase(flags)).exportAudit(flags, stopping);
    default:
      throw new Error(USAGE);
  }
}

const print = (line: string): void => console.log(line);

function apiOf({ url, token }: Flags): AdminApi {
  const read = configFromEnvironment('token');
  if (!read.ok) throw new Error(read.problems.join('\n'));
  const { admin } = read.config;
  const bearer = token ?? admin.token;
  if (bearer === null) throw new Error('A token is needed: --token, or HOLDPOINT_TOKEN.');
  return createAdminApi((url ?? admin.url).replace(/\/+$/, ''), bearer);
}

function runNamed([runId]: readonly string[]): string {
  if (runId === undefined) throw new Error(`Name the run.\n\n${USAGE}`);
  return encodeURIComponent(runId);
}

async function showWaiting(api: AdminApi): Promise<void> {
  let count = 0;
  for await (const call of api.list('/api/approvals')) {
    count++;
    print(
      `${call['requestedAt']}  ${call['runId']}  ${call['agentId']}  ${call['kind']}  ${call['name']} ${JSON.stringify(call['arguments'])}`,
    );
  }
  print(count === 0 ? 'Nothing waits for you.' : `${count} wait.`);
}

async function showStuck(api: AdminApi, afterMinutes: number): Promise<void> {
  let count = 0;
  for await (const item of api.list('/api/runs?status=QUEUED,RUNNING,PAUSED')) {
    const run = RunResponseSchema.parse(item);
    const why = whyStuck(run, Date.now(), afterMinutes * 60_000);
    if (why === undefined) continue;
    count++;
    print(`${run.runId}  ${run.agentId}  ${run.userId}  ${why}`);
  }
  print(
    count === 0 ? `Nothing stands still for ${afterMinutes} minutes.` : `${count} stand still.`,
  );
}

function showRun(answered: unknown): void {
  const run = RunResponseSchema.parse(answered);
  print(`${run.runId} is ${run.status}.`);
}

/** Loaded only where it is needed: with it come the drivers of both servers. */
async function onDatabase({ database }: Flags): Promise<typeof Database> {
  if (database !== true)
    throw new Error(
      'Only the database can say: add --database, with the settings that a worker has (DATABASE_URL, TEMPORAL_ADDRESS, …).',
    );
  return import('./admin-database.ts');
}
