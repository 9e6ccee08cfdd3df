// `npm run bench:growth`: what a run leaves in the tables of a PostgreSQL, from runs that are written by
// the store's own transactions: asked, a call, a pause, a vote, the call made, an answer of 1 KB.
// Deltas of streams are not among them: they are the text once more.

import { sql } from 'kysely';
import { startPostgres } from '../test/rig/postgres.ts';
import { all, drive, openBench, person } from '../test/store/fixture.ts';
import { table } from './measure.ts';

const RUNS = 300;
const ANSWER = 'An answer of about a kilobyte. '.repeat(33);
const ARGUMENTS = JSON.stringify({ to: 'somebody@example.com', body: 'A mail. '.repeat(60) });

const database = await startPostgres();
if (!database.ok) throw new Error(database.reason);
const { postgres } = database;
const { store, db, close } = await openBench(await postgres.createDatabase());
const step = drive(store);

async function sizes(): Promise<ReadonlyMap<string, number>> {
  await sql`vacuum analyze`.execute(db.kysely);
  const { rows } = await sql<{ name: string; bytes: number }>`
    select relname as name, pg_total_relation_size(relid)::float8 as bytes
    from pg_stat_user_tables`.execute(db.kysely);
  return new Map(rows.map(({ name, bytes }) => [name, bytes]));
}

// One agent: its snapshot is kept once, however many runs have it.
const { agent } = await step.start();
const before = await sizes();
for (let i = 0; i < RUNS; i++) {
  const run = await step.start({ agent });
  const ids = await step.asks(run, 1, ['send'], ARGUMENTS);
  await step.pause(run, 1, 1, ids);
  await step.vote(run, person('lea'), all('APPROVE'));
  for (const id of ids) {
    await step.claim(run, id);
    await step.record(run, id, 1);
  }
  await step.answers(run, 2, ANSWER);
}
const after = await sizes();
const grown = [...after]
  .map(([name, bytes]) => ({ name, bytes: (bytes - (before.get(name) ?? 0)) / RUNS }))
  .filter(({ bytes }) => bytes > 0)
  .toSorted((a, b) => b.bytes - a.bytes);
const total = grown.reduce((sum, { bytes }) => sum + bytes, 0);
const row = (name: string, bytes: number): readonly string[] => [
  ...[name, (bytes / 1024).toFixed(2), ((bytes * 1000 * 365) / 1024 ** 3).toFixed(2)],
];
console.log(
  table(
    ['table', 'KiB a run, indexes with it', 'GiB in a year of 1,000 runs a day'],
    [...grown.map(({ name, bytes }) => row(name, bytes)), row('all', total)],
  ),
);
await close();
await postgres.stop();
process.exit(0);
