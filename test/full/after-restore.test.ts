// An older backup of the database put back under a Temporal that has gone on: real servers, real
// processes, `npm run after-restore`. The backup is a copy made while the product is down for a
// moment; restoring is pointing the product at the copy.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { startScriptedModel, type ScriptedModel } from '../rig/scripted-model.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { watchedFetch } from '../rig/tells-nothing.ts';
import { startTemporal, type TemporalRig } from '../rig/temporal.ts';
import { startToolSink, type ToolSink } from '../rig/tool-sink.ts';
import { until } from '../rig/wait.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'a secret of this test that is long enough';

interface Run {
  readonly runId: string;
  readonly status: string;
  readonly pauseId?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

const tool = (sink: string, name: string, approval: string): string => `
  - name: ${name}
    description: The tool ${name}.
    input: { type: object, properties: { text: { type: string }, mode: { type: string } }, required: [text] }
    http: { method: POST, url: "${sink}/${name}" }
    approval: ${approval}
    idempotent: ${name === 'mail'}
    timeoutMs: 60000`;

describe('after restoring an older backup', function () {
  this.timeout(180_000);
  let postgres: PostgresRig, temporal: TemporalRig, model: ScriptedModel, sink: ToolSink;
  let token = '';
  let env: Record<string, string> = {};
  let processes: ProductProcess[] = [];
  let modelIsSilent = true;

  before(async function () {
    this.timeout(180_000);
    postgres = await postgresOrSkip(this);
    [temporal, sink] = await Promise.all([startTemporal(), startToolSink()]);
    // The message names the calls, one a turn: `mail a, pay b`. `later` is answered only after the
    // backup.
    model = await startScriptedModel(({ messages }) => {
      const text = String(messages.findLast((message) => message.role === 'user')?.content);
      if (text.startsWith('later') && modelIsSilent) return { hang: 'before' };
      const calls = text.replace(/^later /, '').split(', ');
      const turn = messages.filter((message) => message.role === 'tool').length;
      const [name, args, mode = ''] = calls[turn]?.split(' ') ?? [];
      return name === undefined
        ? { text: 'done' }
        : { toolCalls: [{ name, args: { text: args, mode } }] };
    });
    const folder = tempDir();
    mkdirSync(join(folder, 'agents'));
    const tools =
      tool(sink.url, 'mail', 'required') +
      tool(sink.url, 'pay', 'required') +
      tool(sink.url, 'post', 'never');
    writeFileSync(
      join(folder, 'agents', 'a.yaml'),
      `id: a\nname: A\ndescription: A.\nmodel: m\ninstructions: Do it.\ntools:${tools}\n`,
    );
    token = await new SignJWT({
      sub: 'ada',
      org_id: 'acme',
      scope: 'runs:write runs:read runs:cancel runs:approve',
    })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt()
      .setExpirationTime('2h')
      .sign(new TextEncoder().encode(SECRET));
    env = {
      ...{
        DATABASE_URL: await postgres.createDatabase(),
        TEMPORAL_ADDRESS: temporal.address,
        OPENAI_BASE_URL: model.url,
      },
      ...{
        OPENAI_API_KEY: 'k',
        JWT_SECRET: SECRET,
        AGENTS_DIR: join(folder, 'agents'),
        DATA_DIR: folder,
        LOG_LEVEL: 'error',
      },
    };
  });
  after(async () => {
    for (const process of processes) await process.kill9();
    await Promise.all([model?.close(), sink?.close(), temporal?.stop(), postgres?.stop()]);
  });

  const up = async (): Promise<void> => {
    processes = [
      await startProduct({ role: 'api', env }),
      await startProduct({ role: 'worker', env, noWait: true }),
    ];
  };
  const down = async (): Promise<void> => {
    for (const process of processes) await process.kill9();
  };
  async function ask(method: string, path: string, body?: object): Promise<Run> {
    const response = await watchedFetch(`${processes[0]?.url}/api/agents/a/runs${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (response.status === 204 ? {} : await response.json()) as Run;
  }
  const start = async (message: string): Promise<string> =>
    (await ask('POST', '/background', { message })).runId;
  const standing = async (runId: string, status: string): Promise<Run> => {
    await until(
      `${runId} ${status}`,
      async () => (await ask('GET', `/${runId}`)).status === status,
      60_000,
    );
    return ask('GET', `/${runId}`);
  };
  const effects = (text: string): number =>
    sink.deliveries.filter(({ args }) => args['text'] === text).length;
  const workflow = async (runId: string): Promise<string> =>
    /"status":\s*"WORKFLOW_EXECUTION_STATUS_([A-Z_]+)"/.exec(
      await temporal.cli(['workflow', 'describe', '-w', runId, '-o', 'json']),
    )?.[1] ?? '';
  const afterRestore = (): string =>
    execFileSync(process.execPath, ['--import', 'tsx', 'src/main/after-restore.ts'], {
      ...{
        cwd: ROOT,
        env: { PATH: process.env['PATH'] ?? '', ...env },
        encoding: 'utf8',
        timeout: 60_000,
      },
    });

  it('nothing starts anew, no effect is repeated, what is unchanged goes on, and the report says what no longer matches', async () => {
    await up();
    const [ended, kept, further, cancelled] = [
      ...[
        await start('mail ended'),
        await start('pay kept'),
        await start('mail first, pay second'),
        await start('pay cancelled'),
      ],
    ] as [string, string, string, string];
    const forgotten = await start('post forgotten');
    const under = await start('later post under hang');
    for (const runId of [ended, kept, further, cancelled]) await standing(runId, 'PAUSED');
    await standing(forgotten, 'COMPLETED');
    await standing(under, 'RUNNING');
    await down();
    const live = new URL(env['DATABASE_URL'] ?? '');
    const backup = new URL(live);
    backup.pathname = `${live.pathname}_backup`;
    await postgres.sql(
      `create database ${backup.pathname.slice(1)} template ${live.pathname.slice(1)}`,
    );

    // What the backup does not know.
    modelIsSilent = false;
    await up();
    for (const runId of [ended, further])
      await ask('POST', `/${runId}/continue`, { action: 'APPROVE' });
    await standing(ended, 'COMPLETED');
    await until(
      'the second pause',
      async () => (await ask('GET', `/${further}`)).status === 'PAUSED' && effects('first') === 1,
    );
    await ask('DELETE', `/${cancelled}`);
    await until('the cancel', async () => (await workflow(cancelled)) === 'CANCELED');
    const younger = await start('pay younger');
    await standing(younger, 'PAUSED');
    await until('the call under way', () => effects('under') === 1, 60_000);

    // A process that still runs would send what is unsent.
    assert.throws(afterRestore, /API or worker processes use this database/);
    await down();

    env = { ...env, DATABASE_URL: backup.href };
    // As if the backup were from before its workflow began, and Temporal had forgotten that
    // workflow since.
    await postgres.sql(
      `update runs set status = 'QUEUED', closed_at = null where run_id = '${forgotten}'`,
      backup.href,
    );
    await postgres.sql(
      `update outbox set acknowledged_at = null where run_id = '${forgotten}'`,
      backup.href,
    );
    await temporal.cli(['workflow', 'delete', '-w', forgotten, '--yes']);
    await until(
      'the forgetting',
      () =>
        workflow(forgotten).then(
          (status) => status === '',
          () => true,
        ),
      90_000,
    );
    const report = afterRestore();
    for (const runId of [ended, further, cancelled, forgotten, under])
      assert.match(report, new RegExp(`${runId} \\(a\\): `), report);
    assert.match(
      report,
      /1 open runs are where their workflows are, and go on\. 5 were ended/,
      report,
    );
    assert.match(report, new RegExp(`Open workflows without a run[^]*${younger}`), report);

    await up();
    for (const runId of [ended, further, forgotten, under]) {
      const run = await ask('GET', `/${runId}`);
      assert.deepEqual([run.status, run.error?.code], ['FAILED', 'TERMINATED'], runId);
      assert.match(run.error?.message ?? '', /restored from a backup/);
    }
    assert.equal((await ask('GET', `/${cancelled}`)).status, 'CANCELLED');
    await until('the younger workflow', async () => (await workflow(younger)) === 'FAILED', 30_000);
    assert.equal(await workflow(further), 'TERMINATED');

    const paused = await ask('GET', `/${kept}`);
    await ask('POST', `/${kept}/continue`, { action: 'APPROVE', pauseId: paused.pauseId });
    await standing(kept, 'COMPLETED');
    // Longer than an outbox's look, a heartbeat's timeout and a retry take.
    await new Promise((done) => setTimeout(done, 8000));
    const counts = [
      'ended',
      'first',
      'second',
      'cancelled',
      'forgotten',
      'under',
      'younger',
      'kept',
    ].map((text) => [text, effects(text)]);
    assert.deepEqual(Object.fromEntries(counts), {
      ended: 1,
      first: 1,
      second: 0,
      cancelled: 0,
      forgotten: 1,
      under: 1,
      younger: 0,
      kept: 1,
    });
    assert.match(afterRestoreOnceMore(), /0 were ended/);
  });

  /** What was settled is found settled. */
  function afterRestoreOnceMore(): string {
    for (const process of processes) process.signal('SIGKILL');
    execFileSync('sleep', ['1']);
    return afterRestore();
  }
});
