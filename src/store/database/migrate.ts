// Brings a database to this release's schema; several processes may do it at once (the migrator
// takes a lock). Releases run side by side during a rolling deploy and after a rollback, so a
// migration only adds, and a process works on a schema that is newer than itself.

import { Migrator, sql, type Migration } from 'kysely';
import type { Database } from './database.ts';
import { setUpVectors } from '../knowledge/vectors.ts';
import { first } from './migrations/0001-first.ts';
import { tenants } from './migrations/0002-tenants.ts';
import { media } from './migrations/0003-media.ts';
import { openRuns } from './migrations/0004-open-runs.ts';
import { agreement } from './migrations/0010-agreement.ts';
import { inbox } from './migrations/0030-inbox.ts';
import { repliesAsTheyCame } from './migrations/0045-replies-as-they-came.ts';
import { callsInPlace } from './migrations/0060-calls-in-place.ts';
import { webhooks } from './migrations/0040-webhooks.ts';
import { keptRuns } from './migrations/0020-kept-runs.ts';
import { rules } from './migrations/0070-rules.ts';
import { grants } from './migrations/0071-grants.ts';
import { effects } from './migrations/0073-effects.ts';
import { withdrawals } from './migrations/0072-withdrawals.ts';
import { toolsOfOthers } from './migrations/0075-tools-of-others.ts';
import { deletedWorkflows } from './migrations/0076-deleted-workflows.ts';
import { limits } from './migrations/0078-limits.ts';
import { auditSeals } from './migrations/0079-audit-seals.ts';
import { auditByOrg } from './migrations/0080-audit-by-org.ts';
import { retention } from './migrations/0081-retention.ts';
import { knowledge } from './migrations/0050-knowledge.ts';
import { wordsOfOneOrg } from './migrations/0065-words-of-one-org.ts';

type Migrations = Readonly<Record<string, Migration>>;

/**
 * Those of the first release, in its table. That release refuses to start where its table names a
 * migration it does not have: nothing is ever added to this list.
 */
const ofFirstRelease: Migrations = {
  '0001-first': first,
  '0002-tenants': tenants,
  '0003-media': media,
  '0004-open-runs': openRuns,
};

/** All later ones. */
const later: Migrations = {
  '0010-agreement': agreement,
  '0030-inbox': inbox,
  '0045-replies-as-they-came': repliesAsTheyCame,
  '0060-calls-in-place': callsInPlace,
  '0040-webhooks': webhooks,
  '0020-kept-runs': keptRuns,
  '0050-knowledge': knowledge,
  '0065-words-of-one-org': wordsOfOneOrg,
  '0070-rules': rules,
  '0071-grants': grants,
  '0072-withdrawals': withdrawals,
  '0073-effects': effects,
  '0075-tools-of-others': toolsOfOthers,
  '0076-deleted-workflows': deletedWorkflows,
  '0078-limits': limits,
  '0079-audit-seals': auditSeals,
  '0080-audit-by-org': auditByOrg,
  '0081-retention': retention,
};

const FIRST_TABLE = 'kysely_migration';
const LATER_TABLE = 'holdpoint_migration';

/** Another process of a newer release may be migrating at the same time: its list is read again. */
const TRIES = 3;

export async function migrateToLatest(db: Database): Promise<void> {
  // The migrator reads the whole catalog several times before it finds nothing to do: on the embedded
  // database the better part of a start.
  if (await isLatest(db)) return setUpVectors(db);
  await migrate(db, ofFirstRelease);
  for (let tries = 1; ; tries++) {
    const newer = (await madeBy(db, LATER_TABLE)).filter((name) => later[name] === undefined);
    try {
      await migrate(db, { ...later, ...nothingToDo(newer) }, LATER_TABLE);
      return await setUpVectors(db);
    } catch (error) {
      const known = new Set([...Object.keys(later), ...newer]);
      if (tries === TRIES || (await madeBy(db, LATER_TABLE)).every((name) => known.has(name)))
        throw error;
    }
  }
}

/** What a newer release has migrated is there already; to this one it is a migration of no steps. */
const nothingToDo = (names: readonly string[]): Migrations =>
  Object.fromEntries(names.map((name) => [name, { up: () => Promise.resolve() }]));

async function migrate(db: Database, migrations: Migrations, table?: string): Promise<void> {
  const migrator = new Migrator({
    db: db.kysely as never,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    ...(table === undefined
      ? {}
      : { migrationTableName: table, migrationLockTableName: `${table}_lock` }),
    // Migrations only add, so their order among each other is of no matter.
    allowUnorderedMigrations: table !== undefined,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

async function isLatest(db: Database): Promise<boolean> {
  const [first, others] = [await madeBy(db, FIRST_TABLE), await madeBy(db, LATER_TABLE)];
  const names = Object.keys(ofFirstRelease);
  // One that the first release does not have is an error, which the migrator throws.
  if (first.length !== names.length || !names.every((name) => first.includes(name))) return false;
  return Object.keys(later).every((name) => others.includes(name));
}

async function madeBy(db: Database, table: string): Promise<readonly string[]> {
  const { rows: found } = await sql<{ there: boolean }>`
    select to_regclass(${table}) is not null as there`.execute(db.kysely);
  if (found[0]?.there !== true) return [];
  const { rows } = await sql<{ name: string }>`
    select name from ${sql.table(table)}`.execute(db.kysely);
  return rows.map((row) => row.name);
}
