// Example tools over the example database: two that look, one that destroys and is therefore
// guarded.

import type { PGlite } from '@electric-sql/pglite';
import { z } from 'zod';
import { defineTool, ToolError } from '../define-tool.ts';
import { exampleDatabase } from './example-database.ts';

/**
 * The first call of all creates the database: 3.5 s on a machine of its own, several times that on
 * a busy one.
 */
const TIMEOUT_MS = 60_000;

const Table = z.string().min(1).max(63).describe('Name of a table, as list_tables gives it');

export const listTables = defineTool({
  name: 'list_tables',
  description: 'Lists the tables of the database.',
  source: import.meta.url,
  input: z.object({}),
  readOnly: true,
  timeoutMs: TIMEOUT_MS,
  run: async (_, ctx) => JSON.stringify(await tableNames(await exampleDatabase(ctx.dataDir))),
});

export const countRows = defineTool({
  name: 'count_rows',
  description: 'Counts the rows of a table of the database.',
  source: import.meta.url,
  input: z.object({ table: Table }),
  readOnly: true,
  timeoutMs: TIMEOUT_MS,
  run: async ({ table }, ctx) => {
    const database = await exampleDatabase(ctx.dataDir);
    await mustExist(database, table);
    const { rows } = await database.query<{ rows: number }>(
      `select count(*)::int as rows from public.${quoted(table)}`,
    );
    return JSON.stringify({ table, rows: rows[0]?.rows ?? 0 });
  },
});

export const dropTable = defineTool({
  name: 'drop_table',
  description: 'Deletes a table of the database with all its rows. This cannot be undone.',
  source: import.meta.url,
  input: z.object({ table: Table }),
  idempotent: true,
  approval: 'required',
  timeoutMs: TIMEOUT_MS,
  run: async ({ table }, ctx) => {
    const database = await exampleDatabase(ctx.dataDir);
    const done = `The table "${table}" was dropped.`;
    const before = await database.query(
      'select 1 from holdpoint.dropped where idempotency_key = $1',
      [ctx.idempotencyKey],
    );
    if (before.rows.length > 0) return done;
    await mustExist(database, table);
    await ctx.beforeWrite();
    await database.transaction(async (tx) => {
      const first = await tx.query(
        'insert into holdpoint.dropped values ($1, $2) on conflict do nothing returning 1',
        [ctx.idempotencyKey, table],
      );
      if (first.rows.length > 0) await tx.query(`drop table if exists public.${quoted(table)}`);
    });
    return done;
  },
});

async function tableNames(database: PGlite): Promise<readonly string[]> {
  const { rows } = await database.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
  );
  return rows.map((row) => row.name);
}

async function mustExist(database: PGlite, table: string): Promise<void> {
  const names = await tableNames(database);
  if (!names.includes(table))
    throw new ToolError(`There is no table "${table}". The tables are: ${names.join(', ')}.`);
}

/** An identifier as SQL takes any: nothing in it can end the quotes. */
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;
