// The reply to a commit may be lost, and then the whole transaction is played again: so each must
// give the same answer, and leave the same record, when it is played twice. The list of what there
// is to play is read from the sources: a new function without a row here fails.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { AppError } from '../../src/contract/errors.ts';
import type { Work } from '../../src/store/database/access.ts';
import { drive, openBench, type Bench } from './fixture.ts';
import { ROWS } from './transactions.ts';

const STORE = fileURLToPath(new URL('../../src/store/', import.meta.url));

interface Found {
  readonly name: string;
  readonly writes: boolean;
}
/** Exported functions of the store that work in a transaction. */
const FOUND: readonly Found[] = readdirSync(STORE, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => {
    const text = readFileSync(join(STORE, file), 'utf8');
    return [
      ...text.matchAll(/export (?:async )?function (\w+)(?:<[^>]*>)?\(\s*tx: StoreTransaction/g),
    ].map((match): Found => {
      const body = text.slice(match.index).split('\n}\n')[0] ?? '';
      const writes =
        /\b(?:insert into|update \w+ set|delete from|insertInto|updateTable|deleteFrom)\b/i.test(
          body,
        );
      return { name: match[1] ?? '', writes };
    });
  });

/** What differs between two looks though nothing happened. */
const VOLATILE = ['updated_at', 'beat_at', 'claimed_until', 'attempts', 'leftMs', 'activeMs'];
const TIMES = ['expiresInMs', 'expires_in_ms', 'active_ms', 'duration_ms'];
const settledText = (value: unknown): string =>
  JSON.stringify(value, (key, inner: unknown) =>
    VOLATILE.includes(key) || TIMES.includes(key)
      ? undefined
      : inner instanceof Map
        ? [...inner]
        : inner,
  ) ?? '';

const TABLES = [
  ...['runs', 'turns', 'attempts', 'pauses', 'calls', 'votes', 'decisions', 'events', 'deltas'],
  ...['idempotency_keys', 'audit', 'outbox', 'run_media', 'call_media'],
];

describe('a transaction that is played twice', function () {
  this.timeout(60_000);
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  async function recordOf(runId: string): Promise<string> {
    const tables: unknown[] = [];
    for (const table of TABLES) {
      const { rows } = await sql`select to_jsonb(t) as row from ${sql.table(table)} t
        where run_id = ${runId} order by to_jsonb(t)::text`.execute(bench.db.kysely);
      tables.push([table, rows]);
    }
    return settledText(tables);
  }
  async function played(work: Work<unknown>): Promise<string> {
    try {
      return settledText(await bench.store.asWorker(work));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return `refused: ${error.code}`;
    }
  }

  it('is one of those listed here, each with its row', () => {
    const names = FOUND.map(({ name }) => name);
    assert.deepEqual(names.toSorted(), [...new Set(Object.keys(ROWS))].toSorted());
    for (const { name, writes } of FOUND) {
      const row = ROWS[name] ?? assert.fail();
      assert.ok(!('reads' in row && writes), `${name} writes`);
      assert.ok(!('partOf' in row) || 'scenarios' in (ROWS[row.partOf] ?? {}), name);
    }
  });

  for (const [name, row] of Object.entries(ROWS))
    if ('scenarios' in row)
      for (const [what, scenario] of Object.entries(row.scenarios))
        it(`answers the same and leaves the same record: ${name}, ${what}`, async () => {
          const { runId, work } = await scenario(drive(bench.store), bench);
          const first = await played(work);
          const record = await recordOf(runId);
          assert.equal(await played(work), first);
          assert.equal(await recordOf(runId), record);
        });
});
