import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  parseTraceparent,
  traceparentOf,
  traceparentOfWorkflow,
} from '../../src/tracing/traceparent.ts';

const GOOD = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('traceparent', () => {
  it('is read as W3C Trace Context has it, and what is none is left', () => {
    const place = parseTraceparent(GOOD) ?? assert.fail();
    assert.equal(traceparentOf(place), GOOD);
    // A later version may have more behind it.
    assert.deepEqual(parseTraceparent(`01${GOOD.slice(2)}-more`), place);
    for (const bad of [
      '',
      'x',
      GOOD.toUpperCase(),
      `ff${GOOD.slice(2)}`,
      GOOD.replace('b7ad6b7169203331', '0'.repeat(16)),
      GOOD.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
      ` ${GOOD}`,
    ])
      assert.equal(parseTraceparent(bad), undefined, bad);
  });

  it('of a workflow is the same in every process, in its starter’s trace or in one of its own', () => {
    const own = traceparentOfWorkflow('an-execution', GOOD);
    assert.equal(own, traceparentOfWorkflow('an-execution', GOOD));
    assert.equal(own.split('-')[1], GOOD.split('-')[1]);
    assert.notEqual(own.split('-')[2], GOOD.split('-')[2]);
    assert.notEqual(own, traceparentOfWorkflow('another', GOOD));
    assert.ok(parseTraceparent(traceparentOfWorkflow('an-execution', undefined)));
    // What the caller does not want sampled is not.
    assert.match(traceparentOfWorkflow('an-execution', GOOD.replace(/01$/, '00')), /-00$/);
  });
});

describe('OpenTelemetry', () => {
  it('is not loaded where nothing is traced', () => {
    const script = `
      const { openTracing } = await import('./src/tracing/open-tracing.ts');
      await import('./src/main/serve-api.ts');
      await import('./src/main/run-worker.ts');
      if ((await openTracing({ url: null, serviceName: 'x', log: console })) !== undefined) throw 1;
      const { createRequire } = await import('node:module');
      const loaded = () => Object.keys(createRequire(import.meta.url).cache)
        .filter((path) => /@opentelemetry.(sdk|exporter|otlp)/.test(path)).length;
      const before = loaded();
      await import('./src/tracing/otel.ts');
      console.log(before, loaded() > 0);`;
    const ran = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8' },
    );
    assert.equal(ran.stdout.trim(), '0 true', ran.stderr);
  });
});
