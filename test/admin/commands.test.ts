// `npx holdpoint …` as a process against the API, and what only the database can say.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { whyStuck } from '../../src/admin/stuck.ts';
import { readAuditLines } from '../../src/store/queries/audit-lines.ts';
import { acknowledgeOutboxLines, leaseOutboxLines } from '../../src/store/outbox.ts';
import { checkRecords } from '../../src/temporal/check-records.ts';
import { newOrg, startApiRig, token, type ApiRig } from '../api/api-rig.ts';

const run = promisify(execFile);
const BIN = fileURLToPath(new URL('../../bin/holdpoint.mjs', import.meta.url));
const EVERY = 'runs:write runs:read runs:cancel runs:approve admin';

describe('the admin commands', function () {
  this.timeout(60_000);
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  const holdpoint = async (org: string, ...args: string[]) => {
    const bearer = await token('root', { org, scope: EVERY });
    const env = { PATH: process.env['PATH'], HOLDPOINT_URL: api.url, HOLDPOINT_TOKEN: bearer };
    return run(process.execPath, [BIN, ...args], { env }).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, text: stderr }),
    );
  };

  it('show what waits and what stands still, and cancel', async () => {
    const org = newOrg();
    const { runId } = (await api.as('ada', { org }).run('guard', 'pause')).json;
    const waits = await holdpoint(org, 'waits');
    assert.match(waits.text, new RegExp(`${runId}  guard  APPROVAL  send_email[^]*\n1 wait\\.`));
    const stuck = await holdpoint(org, 'stuck', '--minutes', '0');
    assert.match(stuck.text, new RegExp(`${runId}  guard  ada  waits for people for 0 min`));
    assert.equal((await holdpoint(org, 'cancel', runId)).code, 0);
    assert.match((await holdpoint(org, 'waits')).text, /Nothing waits for you/);
    const refused = await holdpoint(org, 'retry', runId);
    assert.deepEqual([refused.code, /409: /.test(refused.text)], [1, true]);
  });

  it('say what they need: a command, a run, a token, --database', async () => {
    for (const [args, says] of [
      [[], /usage: npx holdpoint/],
      [['cancel'], /Name the run/],
      [['check'], /add --database/],
      [['audit', '--database'], /--org is needed/],
    ] as const) {
      const { code, text } = await holdpoint('acme', ...args);
      assert.deepEqual([code, says.test(text)], [1, true], text);
    }
  });

  it('the audit is of one org, in order, a page at a time', async () => {
    const [org, other] = [newOrg(), newOrg()];
    await api.as('ada', { org }).run('guard', 'answer');
    await api.as('eve', { org: other }).run('guard', 'answer');
    const all = { orgId: org, from: new Date(0), to: new Date(Date.now() + 60_000), after: 0 };
    const lines = await api.store.asOrg(org, (tx) => readAuditLines(tx, { ...all, most: 100 }));
    assert.deepEqual(
      lines.map(({ action, orgId }) => [action, orgId]),
      [
        ['run.started', org],
        ['run.completed', org],
      ],
    );
    const first = lines[0]?.id ?? 0;
    const rest = await api.store.asOrg(org, (tx) =>
      readAuditLines(tx, { ...all, after: first, most: 1 }),
    );
    assert.equal(rest[0]?.action, 'run.completed');
    const foreign = await api.store.asOrg(other, (tx) => readAuditLines(tx, { ...all, most: 9 }));
    assert.deepEqual(foreign, []);
  });

  it('check finds a run without its workflow, one whose workflow closed, and a workflow without a run', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const started = async () => {
      const { runId } = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
      await api.store.asReconciler(async (tx) => {
        const lines = await leaseOutboxLines(tx, runId, 10, crypto.randomUUID());
        await acknowledgeOutboxLines(
          tx,
          lines.map(({ id }) => id),
        );
      });
      await api.store.asReconciler(async (tx) => {
        await tx.db
          .updateTable('outbox')
          .set({ acknowledged_at: new Date() })
          .where('run_id', '=', runId)
          .execute();
      });
      return runId as string;
    };
    const [missing, closed, fine] = [await started(), await started(), await started()];
    const status = new Map([
      [missing, 'NOT_FOUND'],
      [closed, 'TERMINATED'],
    ]);
    const observer = {
      look: async (runId: string) => ({
        ...{ status: status.get(runId) ?? 'RUNNING', idleSince: undefined, busy: false },
      }),
      openOnes: async () => ({ runIds: [fine, 'run_of_nobody'], next: undefined }),
    };
    const { found } = await checkRecords(api.store, observer, { olderThanS: -1 });
    const ofOurs = found.filter(({ runId }) =>
      [missing, closed, fine, 'run_of_nobody'].includes(runId),
    );
    assert.deepEqual(
      new Map(ofOurs.map(({ runId, what }) => [runId, what])),
      new Map([
        [missing, 'it is QUEUED, and Temporal has no such workflow'],
        [closed, 'it is QUEUED, and its workflow is TERMINATED'],
        ['run_of_nobody', 'its workflow is open, and the record has no open run of that id'],
      ]),
    );
    assert.ok(found.every(({ cure }) => cure.length > 20));
  });

  it('a run that moves, or has ended, does not stand still', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const ended = (await ada.run('guard', 'answer')).json;
    const paused = (await ada.run('guard', 'pause')).json;
    const later = Date.now() + 3_600_000;
    assert.equal(whyStuck(ended, later, 0), undefined);
    assert.equal(whyStuck(paused, Date.now(), 60_000), undefined);
    assert.match(whyStuck(paused, later, 60_000) ?? '', /waits for people for (59|60) min/);
    assert.match(whyStuck({ ...paused, heldBy: 'operator' }, later, 0) ?? '', /unpause/);
  });
});
