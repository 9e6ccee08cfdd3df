// `npm run bench`: one scripted model and one tool, through a plain loop and through a real `npm start`, one after the other at concurrency 1.
// Prints what Holdpoint costs a run: time, CPU (its process and the Temporal server), events. RUNS=N, 200 by default.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cliOfChild, historyOf } from '../test/e2e/history.ts';
import { callerOf, openStage, plan, tokenOf } from '../test/e2e/stage.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { temporalCliPath } from '../test/rig/temporal.ts';
import { cpuMsOf, ms, percentile, table } from './measure.ts';

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1)); // the rigs clear up at exit
const RUNS = Number(process.env['RUNS'] ?? 200);
const WARM_UP = 30;
const message = plan([['look', { note: 'NVDA' }]], 'It stands at 120.');

const stage = await openStage();
const file = fileURLToPath(new URL('./plain-loop.ts', import.meta.url));
const { stdout } = await promisify(execFile)(
  process.execPath,
  ['--import', 'tsx', file, stage.model.url, stage.sink.url, String(RUNS), message],
  {
    maxBuffer: 64 << 20,
  },
);
const plain = JSON.parse(stdout) as { took: number[]; cpuMs: number };

const dataDir = tempDir();
const product = await startProduct({ role: 'start', env: { ...stage.env, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() } });
const ada = callerOf(product.url, await tokenOf('ada'));
for (let i = 0; i < WARM_UP; i++) await ada.ask(message);
const child = (JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')) as { pid: number }).pid;
const cpuNow = (): readonly [ours: number, server: number] => [cpuMsOf(product.pid() ?? 0), cpuMsOf(child)];
const before = cpuNow();
const took: number[] = [];
let runId = '';
for (let i = 0; i < RUNS; i++) {
  const began = performance.now();
  const { run } = await ada.ask(message);
  took.push(performance.now() - began);
  if (run.status !== 'COMPLETED') throw new Error(`a run ended as ${run.status}`);
  runId = run.runId;
}
const after = cpuNow();
const events = (await historyOf(await cliOfChild(dataDir), runId)).length;
const [ours, server] = [(after[0] - before[0]) / RUNS, (after[1] - before[1]) / RUNS];
await product.stop();
await stage.close();

console.log(
  `${RUNS} runs of model, tool, model at concurrency 1 on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}\n`,
);
console.log(
  table(
    ['', 'p50 ms', 'p95 ms', 'CPU ms a run', 'events a run'],
    [
      ['plain loop', ms(percentile(plain.took, 0.5)), ms(percentile(plain.took, 0.95)), ms(plain.cpuMs / RUNS), '-'],
      [
        'Holdpoint',
        ms(percentile(took, 0.5)),
        ms(percentile(took, 0.95)),
        `${ms(ours + server)} (ours ${ms(ours)}, Temporal server ${ms(server)})`,
        String(events),
      ],
    ],
  ),
);
const ratio = percentile(took, 0.5) / percentile(plain.took, 0.5);
console.log(`\nratio of p50: ${ratio.toFixed(1)}; added: ${ms(percentile(took, 0.5) - percentile(plain.took, 0.5))} ms a run`);
process.exit(0);
