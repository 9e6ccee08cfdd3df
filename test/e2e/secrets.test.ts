// Twelve secrets and two tokens, a world that tries to have them told, and a search through
// everything that the product says, stores and sends: answers, streams, logs of every process,
// Temporal's histories, the database, prompts.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeToken } from '../../src/dev/make-token.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { startProduct, type ProductOptions, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { startTemporal, type TemporalRig } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import { CANARY, found, spellingsOf } from './canaries.ts';
import { historyText, wordsOf } from './history.ts';
import { openLeakyStage, recorder, type LeakyStage, type Recorder } from './secrets-stage.ts';
import { plan, type Step } from './stage.ts';

const run = promisify(execFile);
const RUNS = '/api/agents/keeper/runs';
const SCOPE = 'runs:write runs:read runs:cancel runs:approve admin';

describe('secrets', function () {
  this.timeout(240_000);
  let postgres: PostgresRig;
  let temporal: TemporalRig;
  let stage: LeakyStage;
  let databaseUrl: string;
  let env: Record<string, string>;
  const processes: ProductProcess[] = [];
  /** What a process that could not start has said. */
  const lastWords: string[] = [];
  let api: ProductProcess;
  let good: Recorder;
  let token: string;
  let forged: string;

  const withPassword = (url: string, password: string): string => {
    const address = new URL(url);
    address.password = password;
    return address.href;
  };
  const up = async (options: ProductOptions): Promise<ProductProcess> => {
    const started = await startProduct(options);
    processes.push(started);
    return started;
  };
  /** One that ends by itself, or is ended when it has complained. */
  const fails = async (
    role: ProductOptions['role'],
    change: Record<string, string>,
  ): Promise<void> => {
    const failing = await startProduct({
      role,
      env: { ...env, DATA_DIR: tempDir(), ...change },
      noWait: true,
    });
    let ended = false;
    void failing.exited().then(() => (ended = true));
    await until(
      `${role} complains`,
      () => ended || /does not answer yet/.test(failing.log()),
      40_000,
    );
    await failing.kill9();
    assert.ok(failing.log().length > 20, 'it said nothing at all');
    lastWords.push(failing.log());
  };
  const tokenWith = (secret: string): Promise<string> =>
    makeToken({
      ...{ secret, config: { orgClaim: 'org_id', rolesClaim: 'roles', maxTokenAgeS: 86_400 } },
      ...{ user: 'ada', org: 'acme', roles: [], scope: SCOPE, lifeS: 3600 },
    });
  const signatureOf = (jwt: string): string => jwt.split('.')[2] ?? '';
  const ask = (...steps: readonly Step[]) =>
    good.call('POST', RUNS, { body: { message: plan(...steps) } });

  before(async function () {
    postgres = await postgresOrSkip(this);
    [temporal, stage, databaseUrl] = await Promise.all([
      startTemporal(),
      openLeakyStage(),
      postgres.createDatabase(),
    ]);
    env = {
      ...stage.env,
      ...{
        NODE_ENV: 'production',
        OPERATOR_DECISIONS: 'full',
        MODEL_PATIENCE_S: '2',
        LOG_LEVEL: 'trace',
        DATA_DIR: tempDir(),
      },
      DATABASE_URL: withPassword(databaseUrl, CANARY.DATABASE_URL),
      ...{
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_API_KEY: CANARY.TEMPORAL_API_KEY,
        TEMPORAL_TLS: 'false',
      },
      TEMPORAL_UI_URL: `http://operator:${CANARY.TEMPORAL_UI_URL}@127.0.0.1:1`,
    };
    // Migrated by the first; the others leave that to the role of MIGRATION_DATABASE_URL.
    api = await up({ role: 'api', env });
    env['MIGRATION_DATABASE_URL'] = withPassword(databaseUrl, CANARY.MIGRATION_DATABASE_URL);
    await up({ role: 'worker', env: { ...env, DATA_DIR: tempDir() }, noWait: true });
    token = await tokenWith(CANARY.JWT_SECRET);
    forged = await tokenWith(`${CANARY.JWT_SECRET.slice(0, -3)}xyz`);
    good = recorder(api.url, token);
  });
  after(async () => {
    for (const one of processes) await one.kill9();
    await Promise.all([stage?.close(), temporal?.stop(), postgres?.stop()]);
  });

  it('are found by the search in every spelling (or the search would prove nothing)', () => {
    for (const [name, secret] of Object.entries(CANARY)) {
      const noise = (text: string): string => `before ${text} after`;
      for (const text of [
        secret,
        encodeURIComponent(secret),
        JSON.stringify({ a: secret }),
        JSON.stringify(JSON.stringify({ a: secret })),
      ])
        assert.equal(found({ [name]: secret }, { here: noise(text) }).length, 1, text);
      for (const before of ['', 'x', 'xy', 'xyz', '{"key":"'])
        for (const encoding of ['base64', 'base64url', 'hex'] as const)
          assert.equal(
            found(
              { [name]: secret },
              { here: noise(Buffer.from(`${before}${secret}`).toString(encoding)) },
            ).length,
            1,
          );
      assert.deepEqual(found({ [name]: secret }, { here: noise('nothing') }), []);
      assert.ok(spellingsOf(secret).every((spelling) => spelling.length >= 20));
    }
  });

  it('reach the tools and the provider that they are for', async () => {
    const { json } = await ask(
      [
        ['look', { note: 'a' }],
        ['fail', { note: 'b' }],
        ['note', { note: 'c' }],
      ],
      'Looked.',
    );
    assert.equal(json.status, 'COMPLETED', JSON.stringify(json));
    for (const name of ['LOOK_TOKEN', 'FAIL_TOKEN', 'NOTE_TOKEN'] as const)
      assert.ok(
        stage.sent.some((text) => found({ name: CANARY[name] }, { text }).length > 0),
        name,
      );
    assert.ok(
      stage.model.requests.every(
        ({ headers }) => headers.authorization === `Bearer ${CANARY.OPENAI_API_KEY}`,
      ),
    );
  });

  it('are not told by runs whose tools echo them, fail, break off, wait for people, or are asked for a name', async () => {
    const { json } = await ask([['pay', { note: 'x' }]], 'Paid.');
    assert.equal(json.status, 'PAUSED');
    await good.call('POST', `${RUNS}/${json.runId}/continue`, { body: { action: 'APPROVE' } });
    const lost = await ask([['pay', { note: 'drop' }]], 'Lost.');
    const unknown = await good.call('POST', `${RUNS}/${lost.json.runId}/continue`, {
      body: { action: 'APPROVE' },
    });
    assert.equal(unknown.json.pending?.[0]?.kind, 'OUTCOME_UNKNOWN');
    await good.call('POST', `${RUNS}/${lost.json.runId}/continue`, {
      body: { action: 'REJECT', pauseId: unknown.json.pauseId },
    });
    await ask(
      [
        ['look', { note: '${LOOK_TOKEN} ${JWT_SECRET}' }],
        ['note', { other: '${DATABASE_URL}' }],
      ],
      'Asked.',
    );
    await ask([['look', 'not an object' as never]], 'Broken.');
    await ask([['${PAY_TOKEN}', {}]], 'No such tool.');
    await good.stream(`${RUNS}/stream`, {
      message: plan(
        [
          ['look', { note: 's' }],
          ['fail', {}],
        ],
        'Streamed.',
      ),
    });
    const { json: begun } = await good.call('POST', `${RUNS}/background`, {
      body: { message: plan('Begun.'), generateFollowups: true },
    });
    await good.stream(`${RUNS}/${begun.runId}/stream`);
    await good.call('GET', `${RUNS}/${begun.runId}/events`);
    for (const list of [
      '/api/runs',
      '/api/approvals',
      '/api/sessions',
      '/api/usage',
      '/api/agents',
      '/openapi.json',
      '/docs',
      '/health/ready',
    ])
      await good.call('GET', list);
  });

  it('are not told by a provider whose errors quote the key in their words, codes and headers', async () => {
    const ends = [200, 400, 401, 403, 404, 429, 500].map(async (status) => {
      const { json } = await good.call('POST', `${RUNS}/background`, {
        body: { message: `fail ${status}` },
      });
      const ended = await good.call('GET', `${RUNS}/${json.runId}?wait=60`);
      assert.equal(ended.json.status, 'FAILED', JSON.stringify(ended.json));
      await good.stream(`${RUNS}/${json.runId}/stream`);
    });
    await Promise.all(ends);
  });

  it('are not told by refusals, of which the token itself is the occasion', async () => {
    const bad = recorder(api.url, forged);
    for (const path of [RUNS, '/api/agents', `/api/agents/${token}`, `/api/${token}`])
      await bad.call('GET', path);
    for (const given of [
      token,
      `Basic ${token}`,
      `Bearer ${token} ${token}`,
      `Bearer ${token.slice(0, -5)}`,
      `Bearer x${token}`,
    ])
      await good.call('GET', '/api/agents', { headers: { authorization: given } });
    await good.call('GET', `/api/agents/${encodeURIComponent(token)}`);
    await good.call('GET', `/api/runs?userId=${token}`);
    await good.call('POST', RUNS, {
      body: { message: 'x', sessionId: token, options: { model: token } },
    });
    await good.call('POST', RUNS, {
      body: { message: plan('x') },
      headers: { 'idempotency-key': 'k'.repeat(300), prefer: token },
    });
    await good.call('POST', RUNS, { body: token });
    (good.heard as string[]).push(...bad.heard);
  });

  it('are not told while the database and Temporal are away', async function () {
    if (!postgres.ours) return;
    await postgres.kill9();
    for (const [method, path] of [
      ['POST', RUNS],
      ['GET', '/api/runs'],
      ['GET', '/health/ready'],
    ] as const)
      await good.call(method, path, method === 'POST' ? { body: { message: plan('Away.') } } : {});
    await postgres.start();
    await until(
      'the database is back',
      async () => (await good.call('GET', '/health/ready')).status === 200,
      30_000,
    );
    await temporal.kill9();
    await good.call('POST', RUNS, { body: { message: plan('Away.') } });
    await until(
      'Temporal is missed',
      async () => (await good.call('GET', '/health/ready')).status === 503,
      30_000,
    );
    await temporal.start();
    await until(
      'Temporal is back',
      async () => (await good.call('GET', '/health/ready')).status === 200,
      30_000,
    );
  });

  it('are not told by processes whose settings, database, Temporal or provider are wrong', async () => {
    const anywhere = 'postgres://postgres@127.0.0.1:1/none';
    await Promise.all([
      fails('worker', {
        ...{
          TEMPORAL_TLS: 'true',
          TEMPORAL_TLS_CLIENT_CERT_DATA: 'none',
          TEMPORAL_TLS_CLIENT_KEY_DATA: CANARY.TEMPORAL_TLS_CLIENT_KEY,
        },
      }),
      fails('api', { DATABASE_URL: withPassword(anywhere, CANARY.DATABASE_URL) }),
      fails('api', { DATABASE_URL: withPassword(`${databaseUrl}_none`, CANARY.DATABASE_URL) }),
      fails('api', {
        ...{
          DATABASE_URL: `mysql://a:${CANARY.DATABASE_URL}@127.0.0.1/x`,
          OPENAI_BASE_URL: `ftp://a:${CANARY.OPENAI_BASE_URL}@127.0.0.1`,
        },
        ...{
          MIGRATION_DATABASE_URL: CANARY.MIGRATION_DATABASE_URL,
          TEMPORAL_UI_URL: CANARY.TEMPORAL_UI_URL,
          JWKS_URI: 'x',
          PORT: 'x',
        },
      }),
      withWrongProvider(),
      ...[databaseUrl, anywhere].map(migrate),
    ]);
  });

  /** `npm run migrate`, well and in vain. */
  async function migrate(url: string): Promise<void> {
    const settings = {
      ...env,
      MIGRATION_DATABASE_URL: withPassword(url, CANARY.MIGRATION_DATABASE_URL),
      PATH: process.env['PATH'] ?? '',
    };
    const command = ['--import', 'tsx', 'src/main/migrate.ts'];
    const said = await run(process.execPath, command, {
      env: settings,
      timeout: 60_000,
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    }).catch((error: { stdout: string; stderr: string }) => error);
    assert.ok(said.stdout.length + said.stderr.length > 10);
    lastWords.push(said.stdout, said.stderr);
  }

  /** A provider with a password in its address, of a whole product in one process. */
  async function withWrongProvider(): Promise<void> {
    const url = await postgres.createDatabase();
    const { NODE_ENV: _, MIGRATION_DATABASE_URL: __, ...rest } = env;
    const one = await up({
      role: 'start',
      env: {
        ...{ ...rest, NODE_ENV: 'production', DATA_DIR: tempDir(), TEMPORAL_TASK_QUEUE: 'one' },
        DATABASE_URL: withPassword(url, CANARY.DATABASE_URL),
        OPENAI_BASE_URL: (stage.env['OPENAI_BASE_URL'] ?? '').replace(
          '//',
          `//user:${CANARY.OPENAI_BASE_URL}@`,
        ),
      },
    });
    const caller = recorder(one.url, token);
    const { json } = await caller.call('POST', RUNS, { body: { message: plan('Never.') } });
    assert.deepEqual([json.status, json.error.code], ['FAILED', 'MODEL_UNAVAILABLE']);
    (good.heard as string[]).push(...caller.heard);
    lastWords.push(await databaseText(url));
    one.signal('SIGTERM');
    await one.exited();
  }

  /** Every row of every table, as text. */
  async function databaseText(url: string): Promise<string> {
    const tables = await postgres.sql(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
       where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
      url,
    );
    assert.ok(tables.length > 15, `${tables.length} tables`);
    const rows = await Promise.all(
      tables.map(({ name }) => postgres.sql(`select t::text as row from ${String(name)} t`, url)),
    );
    return rows
      .flat()
      .map(({ row }) => String(row))
      .join('\n');
  }

  it('stand in no answer, stream, log, history, row or prompt, as they are or encoded', async () => {
    for (const one of processes) one.signal('SIGTERM');
    await Promise.all(processes.map((one) => one.exited()));
    const listed = JSON.parse(
      await temporal.cli(['workflow', 'list', '--limit', '500', '-o', 'json']),
    ) as {
      execution: { workflowId: string };
    }[];
    assert.ok(listed.length > 15, `${listed.length} workflows`);
    const histories = await Promise.all(
      listed.map(({ execution }) => historyText(temporal.cli, execution.workflowId)),
    );
    const places = {
      ...Object.fromEntries(
        good.heard.map((text, i) => [`answer ${i}: ${text.split('\n')[0]}`, text]),
      ),
      ...Object.fromEntries(processes.map((one, i) => [`the log of process ${i}`, one.log()])),
      ...Object.fromEntries(lastWords.map((text, i) => [`last words ${i}`, text])),
      ...Object.fromEntries(
        histories.map((text, i) => [`history ${i}`, `${text}\n${wordsOf(JSON.parse(text))}`]),
      ),
      'the list of workflows': wordsOf(listed),
      'the database': await databaseText(databaseUrl),
      'the prompts': stage.model.requests.map(({ body }) => JSON.stringify(body)).join('\n'),
    };
    console.log(
      `      ${Object.keys(places).length} places, ${Math.round(JSON.stringify(places).length / 1024)} KiB`,
    );
    for (const at of ['the database', 'the prompts'] as const)
      assert.match(places[at], /\[secret\]/, 'echoes came this far');
    const secrets = {
      ...CANARY,
      'a good token': signatureOf(token),
      'a forged token': signatureOf(forged),
    };
    assert.deepEqual(found(secrets, places), []);
  });
});
