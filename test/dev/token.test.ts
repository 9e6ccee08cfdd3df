import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jwtVerify } from 'jose';
import { developmentSecret } from '../../src/main/development-secret.ts';
import { makeToken } from '../../src/dev/make-token.ts';
import { tempDir } from '../rig/temp-dir.ts';

const run = (dataDir: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', 'src/main/token.ts', ...args], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH: process.env['PATH'], DATA_DIR: dataDir },
  });

describe('development tokens', () => {
  it('are signed with a secret that is made once and readable by its owner alone', () => {
    const folder = tempDir();
    const secret = developmentSecret(folder);
    assert.ok(Buffer.byteLength(secret) >= 32);
    assert.equal(developmentSecret(folder), secret);
    assert.equal(statSync(join(folder, 'jwt-secret')).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(folder, 'jwt-secret'), 'utf8').trim(), secret);
  });

  it('never live longer than the API accepts, under the claims that it reads', async () => {
    const secret = 'x'.repeat(32);
    const config = { orgClaim: 'tenant', rolesClaim: 'groups', maxTokenAgeS: 600 };
    const token = await makeToken({
      secret,
      config,
      user: 'ada',
      org: 'acme',
      roles: ['r'],
      scope: 'runs:read',
      lifeS: 86_400,
    });
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret));
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 600);
    assert.deepEqual(
      [payload.sub, payload['tenant'], payload['groups'], payload['scope']],
      ['ada', 'acme', ['r'], 'runs:read'],
    );
  });

  it('are printed alone by npm run token, with the user, org, roles and scope asked for', async () => {
    const folder = tempDir();
    const { stdout } = await run(
      folder,
      '--user',
      'ada',
      '--org',
      'acme',
      '--roles',
      'finance-lead,ops',
      '--scope',
      'runs:write runs:read',
    );
    const { payload } = await jwtVerify(
      stdout.trim(),
      new TextEncoder().encode(developmentSecret(folder)),
    );
    assert.deepEqual(
      [payload.sub, payload['org_id'], payload['roles']],
      ['ada', 'acme', ['finance-lead', 'ops']],
    );
    assert.equal(payload['scope'], 'runs:write runs:read');
  });

  it('are refused for flags and scopes that there are not', async () => {
    const folder = tempDir();
    await assert.rejects(run(folder, '--usr', 'ada', '--org', 'acme'), /--usr/);
    await assert.rejects(
      run(folder, '--user', 'ada', '--org', 'acme', '--scope', 'runs:everything'),
      /runs:everything/,
    );
    await assert.rejects(run(folder, '--user', 'ada'), /--org/);
  });
});
