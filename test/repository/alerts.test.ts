// The alert rules and the dashboard in deploy/: they name only metrics that there are, and
// Prometheus' own program takes the rules.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createMeter } from '../../src/metrics/meter.ts';
import { createRecordGauges } from '../../src/metrics/record-gauges.ts';
import type { Store } from '../../src/store/database/access.ts';
import { skipBecause } from '../rig/skip.ts';

const fileAt = (path: string): string =>
  fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url));
const RULES = fileAt('prometheus/alerts.yml');
const FAULTS = fileAt('prometheus/alerts.test.yml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly action: string };
}
interface Fault {
  readonly input_series: readonly { readonly series: string }[];
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly unknown[];
  }[];
}
interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}

describe('alerts and dashboard', () => {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  const { panels } = JSON.parse(
    readFileSync(fileAt('grafana/holdpoint.json'), 'utf8'),
  ) as Dashboard;

  const served = (): ReadonlySet<string> => {
    const { registry } = createMeter();
    createRecordGauges({} as Store, registry);
    return new Set(
      registry.getMetricsAsArray().flatMap(({ name }) => [name, `${name}_bucket`, `${name}_count`]),
    );
  };

  it('ask only for metrics that are served', () => {
    const asked = [...rules, ...panels.flatMap(({ targets }) => targets)].flatMap(
      ({ expr }) => expr.match(/\b(?:holdpoint|nodejs)_\w+/g) ?? [],
    );
    assert.ok(asked.length > 20);
    assert.deepEqual(
      asked.filter((name) => !served().has(name)),
      [],
    );
  });

  it('each alert says what is wrong and what to do', () => {
    for (const { alert, annotations } of rules)
      assert.ok(annotations.summary.length > 20 && annotations.action.length > 20, alert);
  });

  it('of each there is a fault that fires it, and a time before', () => {
    const { tests } = parse(readFileSync(FAULTS, 'utf8')) as { tests: Fault[] };
    const fired = tests.flatMap(({ alert_rule_test: checks }) =>
      checks.flatMap(({ alertname, exp_alerts: alerts }) => (alerts.length > 0 ? [alertname] : [])),
    );
    assert.deepEqual(
      fired.toSorted(),
      rules.map(({ alert }) => alert).toSorted(),
      'each is fired once',
    );
    const series = tests.flatMap(({ input_series: all }) => all.map(({ series: name }) => name));
    assert.deepEqual(
      series.filter((name) => !served().has(name.split('{')[0] ?? '')),
      [],
      'faults show in metrics that are served',
    );
  });

  it('promtool takes the rules, and each fault fires its alert', function () {
    try {
      execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    } catch {
      skipBecause(this, 'promtool is not here (the package "prometheus" of Debian has it)');
    }
    execFileSync('promtool', ['check', 'rules', RULES], { stdio: 'pipe' });
    execFileSync('promtool', ['test', 'rules', FAULTS], { stdio: 'pipe' });
  });
});
