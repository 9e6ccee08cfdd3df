// The little database of the example tools: real SQL under `<dataDir>/example-database`, of its
// own, opened when first used. Module state on purpose: a directory may be open once in a process
// (and in one process: a kernel lock says so to the second).

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import native from 'fs-native-extensions';
import { ToolError } from '../define-tool.ts';

interface ExampleDatabase {
  readonly lite: PGlite;
  readonly close: () => Promise<void>;
}

const opened = new Map<string, Promise<ExampleDatabase>>();

export async function exampleDatabase(dataDir: string): Promise<PGlite> {
  const known = opened.get(dataDir);
  if (known !== undefined) return (await known).lite;
  const opening = open(dataDir);
  opened.set(dataDir, opening);
  // A failed opening is tried again by the next call.
  opening.catch(() => opened.delete(dataDir));
  return (await opening).lite;
}

/** At shutdown: an open PGlite keeps the process alive. */
export async function closeExampleDatabase(): Promise<void> {
  const all = [...opened.values()];
  opened.clear();
  for (const result of await Promise.allSettled(all))
    if (result.status === 'fulfilled') await result.value.close();
}

async function open(dataDir: string): Promise<ExampleDatabase> {
  mkdirSync(dataDir, { recursive: true });
  const lock = openSync(join(dataDir, 'example-database.lock'), 'a+', 0o600);
  if (!native.tryLock(lock)) {
    closeSync(lock);
    throw new ToolError('The example database is open in another process.');
  }
  try {
    // Loaded only here: it is large, and most processes never use these tools.
    const { PGlite } = await import('@electric-sql/pglite');
    const lite = await PGlite.create(join(dataDir, 'example-database'));
    await lite.transaction(async (tx) => {
      const seeded = await tx.query(
        `select 1 from information_schema.schemata where schema_name = 'holdpoint'`,
      );
      if (seeded.rows.length === 0) await tx.exec(SEED);
    });
    return { lite, close: async () => (await lite.close(), closeSync(lock)) };
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

// `holdpoint.dropped` remembers by which call a table went, so that a repeated call is told the
// same.
const SEED = `
create schema holdpoint;
create table holdpoint.dropped (idempotency_key text primary key, table_name text not null);
create table customers (id int primary key, name text not null, city text not null);
create table products (id int primary key, name text not null, price_cents int not null);
create table orders (id int primary key, customer_id int not null, product_id int not null, ordered_on date not null);
create table old_orders (id int primary key, customer_id int not null, product_id int not null, ordered_on date not null);
insert into customers select i, (array['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan'])[i], (array['London', 'New York', 'Austin', 'Boston', 'Manchester'])[i]
  from generate_series(1, 5) i;
insert into products values (1, 'Notebook', 450), (2, 'Pencil', 120), (3, 'Lamp', 3990), (4, 'Desk', 24900);
insert into orders select i, 1 + i % 5, 1 + i % 4, date '2025-01-01' + i from generate_series(1, 24) i;
insert into old_orders select i, 1 + i % 5, 1 + i % 4, date '2019-01-01' + i from generate_series(1, 120) i;
`;
