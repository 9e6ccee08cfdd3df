// What a run asks of the database, counted: figures that no clock and no other process changes.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { skipBecause } from '../rig/skip.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import { callerOf, openStage, plan, tokenOf, type Caller, type Stage } from './stage.ts';

const MESSAGE = plan([['look', { note: 'NVDA' }]], 'It stands at 120.');
/** Those of the process's own looks, which a run may fall together with. */
const OF_THE_PROCESS = /holdpoint\.as', 'reconciler'|select exists \(select 1 from outbox/;
/** The next transaction id of the server: every transaction that writes takes one, NOTIFY too. */
const XID = 'txid_snapshot_xmax(txid_current_snapshot())';

const SEALING = /^insert into audit_seals/;

describe('what a run with two model turns and one tool asks of PostgreSQL', function () {
  this.timeout(120_000);
  let stage: Stage;
  let postgres: PostgresRig;
  let databaseUrl: string;
  let product: ProductProcess;
  let ada: Caller;
  before(async function () {
    postgres = await postgresOrSkip(this);
    if (!postgres.ours)
      skipBecause(this, 'the statements of a server that is not ours are unknown');
    await postgres.sql("alter system set log_statement = 'all'");
    await postgres.sql("alter system set log_line_prefix = '<%p> '");
    await postgres.sql('select pg_reload_conf()');
    [stage, databaseUrl] = await Promise.all([openStage(), postgres.createDatabase()]);
    product = await startProduct({
      role: 'start',
      env: {
        ...stage.env,
        DATABASE_URL: databaseUrl,
        DATA_DIR: tempDir(),
        TEMPORAL_CLI: await temporalCliPath(),
      },
    });
    ada = callerOf(product.url, await tokenOf('ada'));
    for (let n = 0; n < 3; n++) await ada.ask(MESSAGE);
  });
  after(async () => {
    await product?.stop();
    await stage?.close();
    await postgres?.stop();
  });

  /** Statements since `from` characters of the log, by the connection that each came over. */
  function statementsSince(from: number): readonly { connection: string; text: string }[] {
    const said = postgres.log().slice(from);
    return [
      ...said.matchAll(
        /^<(\d+)> LOG: {2}(?:execute [^:]*|statement): ([^]*?)(?=^<\d+> |(?![^]))/gm,
      ),
    ].map(([, connection = '', text = '']) => ({ connection, text: text.trim().toLowerCase() }));
  }

  /** The transactions of a part of the log, each with its statements without BEGIN and COMMIT. */
  function transactionsSince(from: number): { own: string[][]; others: string[] } {
    const open = new Map<string, string[]>();
    const [own, others]: [string[][], string[]] = [[], []];
    for (const { connection, text } of statementsSince(from)) {
      const under = open.get(connection);
      if (text.startsWith('begin')) {
        if (!OF_THE_PROCESS.test(text)) own.push([]);
        open.set(connection, OF_THE_PROCESS.test(text) ? [] : (own.at(-1) ?? []));
      } else if (text === 'commit') open.delete(connection);
      else if (under === undefined) others.push(text);
      else under.push(text);
    }
    return { own, others };
  }

  it('is eight writing transactions, one that reads, and 40 statements between their BEGIN and COMMIT', async () => {
    await sleep(2000); // what came before it
    const from = postgres.log().length;
    const { run } = await ada.ask(MESSAGE);
    assert.equal(run.status, 'COMPLETED');
    await sleep(200);
    const { own, others } = transactionsSince(from);
    const writing = own.filter((all) => all.some((text) => /\b(insert into|update)\b/.test(text)));
    assert.ok(
      writing.length <= 8,
      `${writing.length} write:\n${writing.map((w) => w.join('\n')).join('\n\n')}`,
    );
    assert.ok(own.length <= 9, `${own.length} transactions`);
    const statements = own.flat().length + others.length;
    assert.ok(statements <= 40, `${statements} statements`);
  });

  it('takes eight transaction ids, notifications included', async () => {
    const taken = async (): Promise<number> =>
      Number((await postgres.sql(`select ${XID} as n`))[0]?.['n']);
    const runs = 12;
    await sleep(1000);
    const [before, from] = [await taken(), postgres.log().length];
    for (let n = 0; n < runs; n++) assert.equal((await ada.ask(MESSAGE)).run.status, 'COMPLETED');
    await sleep(500);
    const all = (await taken()) - before;
    // The audit is sealed every few seconds, however many runs there were: those are not a run's.
    const sealings = statementsSince(from).filter(({ text }) => SEALING.test(text)).length;
    const each = (all - sealings) / runs;
    assert.ok(each >= 7 && each <= 8.5, `${each} a run:\n${writersSince(from)}`);
  });

  /** The first statement that writes of each transaction, counted. */
  function writersSince(from: number): string {
    const { own, others } = transactionsSince(from);
    const counts = new Map<string, number>();
    for (const all of [...own, others]) {
      const first = all.find((text) => /\b(insert into|update|delete from)\b/.test(text));
      const key = first?.replace(/\s+/g, ' ').slice(0, 100);
      if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return [...counts].map(([text, n]) => `${n} × ${text}`).join('\n');
  }

  it('is nothing while nothing happens: less than one statement a second', async () => {
    // What the runs before have left to do: their audit is sealed last.
    const unsealed = `select count(*)::int as n from audit a
      where not exists (select 1 from audit_seals s where s.line_id = a.id)`;
    const isSealed = async (): Promise<boolean> =>
      (await postgres.sql(unsealed, databaseUrl))[0]?.['n'] === 0;
    await until('the audit is sealed', isSealed, 30_000, 500);
    await sleep(1000);
    const from = postgres.log().length;
    await sleep(8000);
    const asked = statementsSince(from).map(({ text }) => text);
    assert.ok(asked.length < 8, `${asked.length} statements in 8 s:\n${asked.join('\n')}`);
    assert.notEqual(asked.length, 0, 'it is looked at all the same');
  });

  it('opens no connection after a quiet of some seconds', async () => {
    const many = await Promise.all(Array.from({ length: 12 }, () => ada.ask(MESSAGE)));
    assert.ok(many.every(({ run }) => run.status === 'COMPLETED'));
    await sleep(12_000);
    const [now] = await postgres.sql('select clock_timestamp()::text as at');
    await Promise.all([ada.ask(MESSAGE), ada.ask(MESSAGE)]);
    const opened = await postgres.sql(
      `select pid from pg_stat_activity where application_name = 'holdpoint'
        and backend_start > '${String(now?.['at'])}'`,
    );
    assert.deepEqual(opened, []);
  });
});
