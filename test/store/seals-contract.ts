// What every store must keep of the audit's seals, and what is found of who rewrites it as the
// database's owner.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql, type RawBuilder } from 'kysely';
import { fileAnchor } from '../../src/audit/anchor.ts';
import { sealKey, sealOf } from '../../src/audit/seal.ts';
import { startSealer } from '../../src/audit/sealer.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { audit } from '../../src/store/audit.ts';
import { sealLines } from '../../src/store/audit-seals.ts';
import { tempDir } from '../rig/temp-dir.ts';
import type { Bench } from './fixture.ts';

const KEY = sealKey('a key of the tests, of more than 32 bytes');
const log = { error: () => undefined };

export function describeSeals(bench: () => Bench): void {
  const anchor = () => fileAnchor(join(tempDir(), 'heads.jsonl'), KEY);
  const asOwner = (statement: RawBuilder<unknown>) => statement.execute(bench().db.kysely);
  const write = (n: number) =>
    bench().store.asOrg('acme', async (tx) => {
      for (let i = 0; i < n; i++)
        audit(tx, { orgId: 'acme', actor: 'ada', action: 'tried', data: { i, text: '"é\u2028' } });
    });
  /** All that there is, sealed and anchored. */
  async function sealed(to = anchor(), key = KEY) {
    const sealer = startSealer({ store: bench().store, key, anchor: to, log });
    await sealer.stop();
    return to;
  }
  /** What is found after it, with the record as it was put back. */
  async function found(change: RawBuilder<unknown>, to = anchor(), key = KEY) {
    const held = await bench().store.asReconciler((tx) =>
      sql<{ seals: unknown; lines: unknown }>`
        select (select json_agg(s) from audit_seals s) as seals, (select json_agg(a) from audit a) as lines`.execute(
        tx.db,
      ),
    );
    await asOwner(change);
    try {
      return (await verifyAudit(bench().store, key, to)).problems;
    } finally {
      const [row] = held.rows;
      await asOwner(sql`delete from audit`);
      await asOwner(sql`delete from audit_seals`);
      await asOwner(sql`insert into audit overriding system value
        select * from json_populate_recordset(null::audit, ${JSON.stringify(row?.lines)}::json)`);
      await asOwner(sql`insert into audit_seals
        select * from json_populate_recordset(null::audit_seals, ${JSON.stringify(row?.seals)}::json)`);
    }
  }
  const inTheMiddle = sql`(select line_id from audit_seals order by seq offset (select count(*) / 2 from audit_seals) limit 1)`;
  const atTheEnd = sql`(select max(seq) from audit_seals)`;

  describe('the seals of the audit', () => {
    it('are one for each line, and the record is whole', async () => {
      await write(20);
      const to = await sealed();
      const first = await verifyAudit(bench().store, KEY, to);
      assert.deepEqual([first.problems, first.unsealed, first.anchored], [[], 0, 1]);
      await write(3);
      const then = await verifyAudit(bench().store, KEY, to);
      assert.deepEqual([then.problems, then.unsealed, then.sealed], [[], 3, first.sealed]);
      await sealed(to);
      const last = await verifyAudit(bench().store, KEY, to);
      assert.deepEqual([last.problems, last.unsealed, last.sealed], [[], 0, first.sealed + 3]);
      assert.equal(last.anchored, 2);
      await sealed(to);
      assert.equal((await verifyAudit(bench().store, KEY, to)).anchored, 2, 'nothing was new');
    });

    it('are made by several processes at once as by one', async () => {
      await write(30);
      const { store } = bench();
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          for (let left = true; left;) {
            const sealing = await store.asReconciler((tx) => sealLines(tx, KEY, 7));
            left = sealing.kind === 'SEALED' && sealing.left;
          }
        }),
      );
      await sealed();
      assert.deepEqual((await verifyAudit(store, KEY, null)).problems, []);
    });

    it('show a line that was changed, taken out, put in, moved or cut off, and who sealed it so', async () => {
      await write(10);
      const to = await sealed();
      const forger = sealKey('another key of the tests, as long as the first');
      const tears: readonly (readonly [RegExp, RawBuilder<unknown>])[] = [
        [/was changed/, sql`update audit set actor = 'eve' where id = ${inTheMiddle}`],
        [
          /was changed/,
          sql`update audit set at = at + interval '1 microsecond' where id = ${inTheMiddle}`,
        ],
        [/was changed/, sql`update audit set data = '{"i":99}' where id = ${inTheMiddle}`],
        [/was changed/, sql`update audit set org_id = 'other' where id = ${inTheMiddle}`],
        [/was taken out/, sql`delete from audit where id = ${inTheMiddle}`],
        [
          /are missing/,
          sql`with gone as (delete from audit where id = ${inTheMiddle} returning id)
            delete from audit_seals where line_id in (select id from gone)`,
        ],
        [
          /was taken out/,
          sql`update audit_seals s set line_id = -s.line_id where line_id = ${inTheMiddle}`,
        ],
        [
          /not sealed/,
          sql`insert into audit (org_id, actor, action, data, at) values ('acme', 'eve', 'tried', '{}', now() - interval '2 hours')`,
        ],
        [
          /cut off/,
          sql`with gone as (delete from audit_seals where seq = ${atTheEnd} returning line_id)
            delete from audit where id in (select line_id from gone)`,
        ],
        [
          /was changed/,
          sql`update audit a set data = b.data, actor = b.actor, at = b.at from audit b
            where a.id = (select max(id) from audit where action = 'tried') and b.id = a.id - 1`,
        ],
        [
          /another AUDIT_KEY/,
          sql`update audit_seals set key_id = ${forger.id} where line_id = ${inTheMiddle}`,
        ],
      ];
      for (const [problem, tear] of tears) {
        const problems = await found(tear, to);
        assert.ok(
          problems.some((one) => problem.test(one)),
          `${String(problem)}: ${problems.join(' ') || 'nothing was found'}`,
        );
      }
      assert.deepEqual(await found(sql`select 1`, to), [], 'it was put back each time');
    });

    it('show a line that says an older time than those before it, though it was sealed', async () => {
      await write(2);
      await sealed();
      await asOwner(
        sql`insert into audit (org_id, actor, action, data, at) values ('acme', 'eve', 'tried', '{}', now() - interval '20 minutes')`,
      );
      const to = await sealed();
      const { problems } = await verifyAudit(bench().store, KEY, to);
      assert.match(problems.join(), /put in later/);
      await asOwner(sql`with gone as (delete from audit_seals where seq = ${atTheEnd} returning line_id)
        delete from audit where id in (select line_id from gone)`);
    });

    it('show a record that was sealed anew by who has the key, by the head that was kept elsewhere', async () => {
      await write(2);
      const to = await sealed();
      await asOwner(sql`delete from audit_seals`);
      await asOwner(sql`update audit set actor = 'eve' where id = (select min(id) from audit)`);
      const sealer = startSealer({ store: bench().store, key: KEY, anchor: null, log });
      await sealer.stop();
      assert.deepEqual((await verifyAudit(bench().store, KEY, null)).problems, []);
      const { problems } = await verifyAudit(bench().store, KEY, to);
      assert.match(problems.join(), /is not the one that was kept outside/);
    });

    it('are of a line too whose transaction ended after one that wrote a later line', async () => {
      await sealed();
      const { store } = bench();
      const [{ id } = { id: 0 }] = (
        await sql<{ id: number }>`select max(id) + 1 as id from audit`.execute(bench().db.kysely)
      ).rows;
      // As if the transaction of the lower id were still open while the later one is sealed.
      await asOwner(sql`insert into audit (id, org_id, actor, action, data) overriding system value
        values (${id + 1}, 'acme', 'ada', 'tried', '{}')`);
      await sealed();
      await asOwner(sql`insert into audit (id, org_id, actor, action, data) overriding system value
        values (${id}, 'acme', 'ada', 'tried', '{}')`);
      await sealed();
      await asOwner(
        sql`select setval(pg_get_serial_sequence('audit', 'id'), (select max(id) from audit))`,
      );
      const { problems, unsealed } = await verifyAudit(store, KEY, null);
      assert.deepEqual([problems, unsealed], [[], 0]);
    });

    it('show heads that were kept elsewhere and changed, forged or cut', async () => {
      await write(2);
      const file = join(tempDir(), 'heads.jsonl');
      await sealed(fileAnchor(file, KEY));
      const text = readFileSync(file, 'utf8');
      const { seq } = JSON.parse(text) as { seq: number };
      writeFileSync(file, text.replace(`"seq":${seq}`, `"seq":${seq - 1}`));
      const forged = await verifyAudit(bench().store, KEY, fileAnchor(file, KEY));
      assert.match(forged.problems.join(), /not signed by us/);
      rmSync(file);
      assert.equal((await verifyAudit(bench().store, KEY, fileAnchor(file, KEY))).anchored, 0);
    });

    it('are not made with another key than the last one, and nobody makes them by hand', async () => {
      await write(1);
      await sealed();
      await write(1);
      const other = sealKey(`${randomUUID()} and more`);
      const { store } = bench();
      const sealing = await store.asReconciler((tx) => sealLines(tx, other, 10));
      assert.deepEqual(sealing, { kind: 'OTHER_KEY', keyId: KEY.id });
      assert.equal((await verifyAudit(store, KEY, null)).unsealed, 1);
      for (const statement of [
        sql`update audit_seals set mac = 'x'`,
        sql`delete from audit_seals`,
        sql`delete from audit`,
      ])
        await assert.rejects(
          store.asReconciler((tx) => statement.execute(tx.db)),
          /permission denied/,
        );
    });
  });

  it('a seal is of its line, its place and the seal before', () => {
    const line = {
      ...{ lineId: 7, at: '2026-01-02T03:04:05.000006Z', orgId: 'acme', runId: null },
      ...{ actor: 'ada', action: 'call.decided', data: '{"a": 1}' },
    };
    const sealedAt = '2026-01-02T03:04:09.000000Z';
    // Made by another program: openssl dgst -sha256 -hmac KEY over the JSON text.
    assert.equal(
      sealOf(KEY, 'ab', { seq: 3, sealedAt, line }),
      'd40b74ccf4f0dabd85d8727c8cdbeefcfd8cfe5b84beca8f5129b8dd80f9b4d7',
    );
  });
}
