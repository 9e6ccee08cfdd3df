// `tsx scripts/record-histories.ts 0.1.0`: records histories of every shape from real runs into test/replay/histories/<release>/.
// Once a release; what was recorded is never recorded again, so a name that is there already is left alone.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyText } from '../test/e2e/history.ts';
import { shapesOf, type Shape } from '../test/replay/shapes.ts';
import { until } from '../test/rig/wait.ts';
import { openActors, type Plays } from './histories/actors.ts';
import { playsOfFirstRelease } from './histories/first-release.ts';
import { playsOfKeptRuns } from './histories/kept-runs.ts';

const release = process.argv[2];
assert.ok(
  release !== undefined && /^\d+\.\d+\.\d+$/.test(release),
  'usage: tsx scripts/record-histories.ts <release>',
);
const folder = fileURLToPath(new URL(`../test/replay/histories/${release}/`, import.meta.url));
mkdirSync(folder, { recursive: true });
const here = fileURLToPath(new URL('../', import.meta.url));

const actors = await openActors();
const play: Plays<Shape> = { ...playsOfFirstRelease(actors), ...playsOfKeptRuns(actors) };
const { temporal, worker, modelDoes } = actors;

let problems = 0;
for (const shape of shapesOf(release)) {
  const file = join(folder, `${shape}.json`);
  if (existsSync(file)) continue;
  try {
    const runId = await play[shape]();
    if (shape !== 'paused-open')
      await until('the workflow has closed', async () =>
        (await historyText(temporal.cli, runId)).includes('EVENT_TYPE_WORKFLOW_EXECUTION_C') ||
        (await historyText(temporal.cli, runId)).includes('EVENT_TYPE_WORKFLOW_EXECUTION_FAILED')); // prettier-ignore
    // Stacks name where this tree lies: it is nobody's business.
    const text = (await historyText(temporal.cli, runId)).replaceAll(here, '/app/');
    writeFileSync(file, text.endsWith('\n') ? text : `${text}\n`);
    console.log(`${shape}: ${(JSON.parse(text) as { events: unknown[] }).events.length} events`);
  } catch (error) {
    problems++;
    modelDoes();
    console.error(
      `${shape}: not recorded: ${error instanceof Error ? error.message : String(error)}\n${worker.log().slice(-2000)}`,
    );
  }
}
await actors.close();
process.exit(problems === 0 ? 0 : 1);
