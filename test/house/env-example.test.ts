import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readConfig, SETTINGS, type Role } from '../../src/config.ts';

const lines = [
  ...readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').matchAll(
    /^# ([A-Z][A-Z0-9_]*)=(.*)$/gm,
  ),
].map(([, name = '', value = '']) => ({ name, value }));
const documented = lines.map(({ name }) => name);

describe('.env.example', () => {
  it('lists exactly the settings that there are, each once', () => {
    assert.deepEqual([...documented].sort(), [...SETTINGS].sort());
  });

  it('lists exactly what config.ts reads', () => {
    const asked = new Set<string>();
    const env = new Proxy<Record<string, string>>(
      {},
      { get: (_, name) => void asked.add(String(name)) },
    );
    for (const role of ['start', 'api', 'worker', 'migrate', 'token'] satisfies readonly Role[])
      readConfig(env, role);
    assert.deepEqual([...asked].sort(), [...documented].sort());
  });

  it('shows the defaults in force', () => {
    const shown = Object.fromEntries(lines.map(({ name, value }) => [name, value]));
    const [bare, given] = [readConfig({}, 'token'), readConfig(shown, 'token')];
    assert.ok(bare.ok && given.ok);
    assert.equal(JSON.stringify(given.config), JSON.stringify(bare.config));
  });
});
