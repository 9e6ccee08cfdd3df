import assert from 'node:assert/strict';
import {
  settingsExample,
  settingsTable,
  writtenExample,
  writtenTable,
} from '../../scripts/settings.ts';
import { readConfig, type Role } from '../../src/config.ts';
import { SETTING_GROUPS, SETTINGS } from '../../src/settings/settings.ts';

const lines = [...writtenExample().matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(
  ([, name = '', value = '']) => ({ name, value }),
);
const documented = lines.map(({ name }) => name);

describe('the settings', () => {
  it('.env.example and docs/settings.md are what is declared (npm run settings)', async () => {
    assert.equal(writtenExample(), settingsExample());
    assert.equal(writtenTable(), await settingsTable());
  });

  it('are in .env.example each once, and in one group', () => {
    assert.deepEqual(documented.toSorted(), Object.keys(SETTINGS).toSorted());
    const grouped = Object.values(SETTING_GROUPS).flatMap((group) => Object.keys(group));
    assert.deepEqual(grouped.toSorted(), Object.keys(SETTINGS).toSorted());
  });

  it('are exactly what is read', () => {
    const asked = new Set<string>();
    const env = new Proxy<Record<string, string>>(
      {},
      { get: (_, name) => void asked.add(String(name)) },
    );
    for (const role of [
      'start',
      'api',
      'worker',
      'migrate',
      'token',
      'verify-audit',
    ] satisfies readonly Role[])
      readConfig(env, role);
    assert.deepEqual([...asked].toSorted(), documented.toSorted());
  });

  it('shown in .env.example are the defaults in force', () => {
    const shown = Object.fromEntries(lines.map(({ name, value }) => [name, value]));
    const [bare, given] = [readConfig({}, 'token'), readConfig(shown, 'token')];
    assert.ok(bare.ok && given.ok);
    assert.equal(JSON.stringify(given.config), JSON.stringify(bare.config));
  });
});
