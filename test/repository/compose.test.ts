import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');

const Service = z.object({
  image: z.string(),
  ports: z.array(z.string()).default([]),
  networks: z.array(z.string()),
  environment: z.record(z.string(), z.unknown()).default({}),
  secrets: z.array(z.unknown()).default([]),
});
const Compose = z.object({
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
});
const compose = Compose.parse(parse(read('docker-compose.yml'), { merge: true }));

/** What the images listen on; a service that is not here is said to listen on nothing. */
const LISTENS: Readonly<Record<string, number>> = {
  api: 8080,
  'temporal-ui': 8080,
  postgres: 5432,
  temporal: 7233,
  'temporal-postgres': 5432,
};

describe('docker-compose.yml', () => {
  it('opens what docs/security.md lists, and names every service there', () => {
    const page = read('docs/security.md');
    const section = page.split(/^### /m).find((part) => part.startsWith('`docker-compose.yml`'));
    assert.ok(section);
    const rows = section.split('\n').filter((line) => line.startsWith('| '));
    const listed = rows.slice(1).map((row) => row.split('|')[1]?.trim());
    const listening = Object.keys(compose.services).filter((name) => name in LISTENS);
    assert.deepEqual(
      listed.toSorted(),
      listening.map((name) => `${name} ${LISTENS[name]}`).toSorted(),
    );
    for (const name of Object.keys(compose.services))
      assert.ok(section.includes(name), `${name} is spoken of`);
  });

  it('publishes the API and the Web UI alone, on the loopback', () => {
    const published = Object.entries(compose.services).flatMap(([name, { ports }]) =>
      ports.map((port) => [name, port]),
    );
    assert.deepEqual(published.map(([name]) => name).toSorted(), ['api', 'temporal-ui']);
    for (const [, port] of published) assert.match(port ?? '', /^127\.0\.0\.1:\d+:8080$/);
  });

  it('puts what has no login of its own on internal networks', () => {
    for (const name of ['postgres', 'temporal', 'temporal-postgres'])
      for (const network of compose.services[name]?.networks ?? [])
        assert.equal(compose.networks[network]?.internal, true, `${name} on ${network}`);
  });

  const ENVIRONMENT_ONLY = new Set(['temporal']);
  it('gives passwords to containers as files, where their images take files', () => {
    for (const [name, { environment }] of Object.entries(compose.services)) {
      const said = Object.entries(environment).filter(
        ([key, value]) =>
          /PASSWORD|PWD|SECRET|API_KEY/.test(`${key} ${String(value)}`) && !key.endsWith('_FILE'),
      );
      assert.equal(said.length, ENVIRONMENT_ONLY.has(name) ? 1 : 0, `${name}: ${String(said)}`);
    }
  });

  it('gives the password of the tables’ owner to nobody who does not migrate', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      const knows = /OWNER_PASSWORD|owner_password|MIGRATION_/.test(JSON.stringify(service));
      assert.equal(knows, name === 'migrate' || name === 'postgres', name);
    }
    for (const role of ['api', 'worker'])
      assert.equal(compose.services[role]?.environment['MIGRATE_AT_START'], 'false', role);
  });

  it('deploy/pin-images.sh pins every image that it names, and those that are built', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdpoint-pin-'));
    const digest = `sha256:${'ab'.repeat(32)}`;
    // What the command answers stands in for the registries: there is no digest to be had here.
    await writeFile(join(folder, 'docker'), `#!/bin/sh\necho ${digest}\n`, { mode: 0o755 });
    for (const name of ['docker-compose.yml', 'Dockerfile'])
      await writeFile(join(folder, name), read(name));
    await mkdir(join(folder, 'deploy'));
    await writeFile(join(folder, 'deploy', 'pin-images.sh'), read('deploy/pin-images.sh'));
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
    await promisify(execFile)('sh', [join(folder, 'deploy', 'pin-images.sh')], { env });
    const made = z
      .object({ services: z.record(z.string(), z.record(z.string(), z.unknown())) })
      .parse(parse(readFileSync(join(folder, 'docker-compose.images.yml'), 'utf8')));
    await rm(folder, { recursive: true });
    assert.deepEqual(
      Object.keys(made.services).toSorted(),
      Object.keys(compose.services).toSorted(),
    );
    for (const [name, service] of Object.entries(made.services)) {
      assert.match(JSON.stringify(service), new RegExp(`:[\\w.-]+@${digest}`), name);
      if (service['image'] !== undefined)
        assert.equal(service['image'], `${compose.services[name]?.image}@${digest}`);
    }
  });
});
