import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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
});
