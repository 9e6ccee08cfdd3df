import assert from 'node:assert/strict';
import { isAbsolute } from 'node:path';
import { readConfig, type Config, type Role } from '../../src/config.ts';
import { settingsInForce } from '../../src/settings/in-force.ts';
import type { Environment } from '../../src/settings/read.ts';

const SECRET = 'a-secret-of-at-least-thirty-two-bytes';
const settled = {
  DATABASE_URL: 'postgres://app:pass-word-1@db.example/holdpoint',
  TEMPORAL_ADDRESS: 'temporal.example:7233',
};

function good(env: Environment, role: Role = 'start'): Config {
  const result = readConfig(env, role);
  assert.ok(result.ok, result.ok ? '' : result.problems.join('\n'));
  return result.config;
}
function problems(env: Environment, role: Role = 'start'): readonly string[] {
  const result = readConfig(env, role);
  assert.ok(!result.ok, 'it was taken');
  return result.problems;
}

describe('settings', () => {
  it('have defaults that need nothing to be set', () => {
    const config = good({});
    assert.deepEqual(
      [config.host, config.port, config.logLevel, config.syncWaitMaxS],
      ['127.0.0.1', 8080, 'warn', 270],
    );
    assert.deepEqual(
      [config.model, config.auth, config.operatorDecisions],
      [{ kind: 'demo' }, { kind: 'development' }, 'full'],
    );
    assert.ok(isAbsolute(config.dataDir) && isAbsolute(config.agentsDir));
    assert.deepEqual(
      [config.temporal.address, config.temporal.namespace, config.temporal.taskQueue],
      [null, 'default', 'holdpoint'],
    );
  });

  it('report all their problems at once, each by its name', () => {
    const found = problems({
      PORT: 'eighty',
      JWT_SECRET: 'short',
      SYNC_WAIT_MAX_S: 'x',
      OPERATOR_DECISIONS: 'maybe',
      EGRESS_ALLOW: '10.0.0.0/99',
    });
    for (const name of [
      'PORT',
      'JWT_SECRET',
      'SYNC_WAIT_MAX_S',
      'OPERATOR_DECISIONS',
      'EGRESS_ALLOW',
    ])
      assert.equal(found.filter((line) => line.startsWith(name)).length, 1, name);
    assert.equal(found.length, 5);
  });

  it('take a query in the address of the model and refuse a fragment, which would swallow the path', () => {
    const read = (address: string) => readConfig({ OPENAI_BASE_URL: address }, 'start');
    assert.ok(read('https://a.example/openai/deployments/d1?api-version=2024-10-21').ok);
    for (const address of ['http://127.0.0.1:9/v1#models', 'http://127.0.0.1:9/v1#']) {
      const result = read(address);
      assert.match(result.ok ? '' : result.problems.join(), /^OPENAI_BASE_URL must not .*fragment/);
    }
  });

  it('never quote a secret in a problem', () => {
    const found = problems({
      JWT_SECRET: 'hunter2',
      DATABASE_URL: 'mysql://me:hunter2@db/x',
      OPENAI_BASE_URL: 'ftp://me:hunter2@x',
    });
    assert.equal(found.length, 3);
    assert.ok(!found.join().includes('hunter2'));
  });

  it('take origins of web pages as browsers write them, and no others', () => {
    assert.deepEqual(good({}).corsOrigins, []);
    assert.deepEqual(
      good({ CORS_ORIGINS: 'https://a.example, http://b.example:3000' }).corsOrigins,
      ['https://a.example', 'http://b.example:3000'],
    );
    for (const bad of [
      '*',
      'null',
      'a.example',
      'https://a.example/',
      'https://a.example:443',
      'https://*.example',
      'ftp://a.example',
      'HTTPS://a.example',
    ])
      assert.match(problems({ CORS_ORIGINS: bad }).join(), /^CORS_ORIGINS has/, bad);
  });

  it('are refused in production without a secret, with a weak one, and with the demonstration model', () => {
    const found = problems({ NODE_ENV: 'production' }).join('\n');
    assert.match(found, /JWT_SECRET/);
    assert.match(found, /OPENAI_API_KEY/);
    assert.match(
      problems({ NODE_ENV: 'production', JWT_SECRET: 'weak', OPENAI_API_KEY: 'k' }).join(),
      /^JWT_SECRET/,
    );
    const config = good({ NODE_ENV: 'production', JWT_SECRET: SECRET, OPENAI_API_KEY: 'k' });
    assert.equal(config.operatorDecisions, 'reject-only');
  });

  it('ask a worker in production for no token secret, and an API for no model', () => {
    good({ ...settled, NODE_ENV: 'production', OPENAI_API_KEY: 'k' }, 'worker');
    good({ ...settled, NODE_ENV: 'production', JWT_SECRET: SECRET }, 'api');
  });

  it('of an API or a worker need a database and a Temporal server', () => {
    for (const role of ['api', 'worker'] as const) {
      const found = problems({}, role).join('\n');
      assert.match(found, /^DATABASE_URL/m);
      assert.match(found, /^TEMPORAL_ADDRESS/m);
      good(settled, role);
    }
    assert.match(problems({}, 'migrate').join(), /MIGRATION_DATABASE_URL/);
  });

  it('take a secret or a key server, never both, and a key server only with issuer and audience', () => {
    const jwks = {
      JWKS_URI: 'https://id.example/keys',
      JWT_ISSUER: 'https://id.example',
      JWT_AUDIENCE: 'holdpoint',
    };
    assert.equal(good(jwks).auth.kind, 'jwks');
    assert.match(problems({ ...jwks, JWT_SECRET: SECRET }).join(), /both/);
    assert.match(problems({ JWKS_URI: jwks.JWKS_URI }).join(), /JWT_ISSUER and JWT_AUDIENCE/);
    assert.match(problems({ JWT_AUDIENCE: 'x' }).join(), /JWT_SECRET or JWKS_URI/);
    assert.deepEqual(good({ JWT_SECRET: SECRET, JWT_AUDIENCE: 'x', JWT_ISSUER: 'y' }).auth, {
      kind: 'secret',
      secret: SECRET,
      issuer: 'y',
      audience: 'x',
    });
    const said = (env: Record<string, string>): string =>
      settingsInForce(good({ JWT_SECRET: SECRET, ...env })).join('\n');
    assert.match(said({}), /WARNING.*JWT_ISSUER and JWT_AUDIENCE not set/);
    assert.doesNotMatch(said({ JWT_AUDIENCE: 'x', JWT_ISSUER: 'y' }), /WARNING/);
  });

  it("turn the SDK's own variables into what its connection takes", () => {
    assert.equal(good({}).temporal.tls, null);
    assert.deepEqual(good({ TEMPORAL_API_KEY: 'k' }).temporal.tls, {});
    assert.equal(good({ TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false' }).temporal.tls, null);
    const { tls } = good({
      TEMPORAL_TLS_CLIENT_CERT_DATA: 'c',
      TEMPORAL_TLS_CLIENT_KEY_DATA: 'k',
      TEMPORAL_TLS_SERVER_NAME: 's',
    }).temporal;
    assert.deepEqual(tls, {
      serverNameOverride: 's',
      clientCertPair: { crt: new TextEncoder().encode('c'), key: new TextEncoder().encode('k') },
    });
    assert.match(problems({ TEMPORAL_TLS_CLIENT_CERT_DATA: 'c' }).join(), /go together/);
    assert.match(
      problems({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/no/such/file' }).join(),
      /cannot be read/,
    );
  });

  it("give agent files the environment's secrets, but none of Holdpoint's own", () => {
    const { secret } = good({
      EMAIL_TOKEN: 'e',
      JWT_SECRET: SECRET,
      OPENAI_API_KEY: 'k',
      AUDIT_KEY: `another ${SECRET}`,
    });
    assert.equal(secret('EMAIL_TOKEN'), 'e');
    for (const name of ['JWT_SECRET', 'OPENAI_API_KEY', 'AUDIT_KEY', 'NOT_SET'])
      assert.equal(secret(name), undefined, name);
  });

  it('in force are printed without secrets', () => {
    const uiUrl = 'https://me:ui-pass-1@ui.example/';
    const env = {
      ...settled,
      JWT_SECRET: SECRET,
      OPENAI_API_KEY: 'sk-key-1',
      TEMPORAL_API_KEY: 'tk-key-1',
      AUDIT_KEY: `another ${SECRET}`,
      TEMPORAL_UI_URL: uiUrl,
    };
    assert.equal(good(env).temporalUiUrl, 'https://me:***@ui.example', 'the welcome shows it too');
    const text = settingsInForce(good(env)).join('\n');
    for (const hidden of ['pass-word-1', SECRET, 'sk-key-1', 'tk-key-1', 'ui-pass-1'])
      assert.ok(!text.includes(hidden), hidden);
    assert.match(text, /db\.example\/holdpoint/);
  });
});
