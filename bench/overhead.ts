// `npm run bench`: one scripted model and one tool, through a plain loop and through Holdpoint, in
// one process and with the roles apart, one after the other at concurrency 1. Prints what it costs
// a run: time, CPU, events. RUNS=N, 200 by default.

import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { callerOf, openStage, plan, tokenOf } from '../test/e2e/stage.ts';
import { cpuEach, DEPLOYMENTS, type Cpu, type Deployment } from './deployments.ts';
import { ms, percentile, table } from './measure.ts';

// the rigs clear up at exit
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
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

const ada = await tokenOf('ada');

interface Measured {
  readonly name: string;
  readonly took: readonly number[];
  readonly cpu: Cpu;
  readonly events: number;
}

async function measure({ name, url, cpu, events, stop }: Deployment): Promise<Measured> {
  const caller = callerOf(url, ada);
  for (let i = 0; i < WARM_UP; i++) await caller.ask(message);
  const before = cpu();
  const took: number[] = [];
  let runId = '';
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now();
    const { run } = await caller.ask(message);
    took.push(performance.now() - began);
    if (run.status !== 'COMPLETED') throw new Error(`a run ended as ${run.status}`);
    runId = run.runId;
  }
  const result = { name, took, cpu: cpuEach(before, cpu(), RUNS), events: await events(runId) };
  await stop();
  return result;
}

const measured: Measured[] = [];
for (const deploy of DEPLOYMENTS) measured.push(await measure(await deploy(stage.env)));
await stage.close();

console.log(
  `${RUNS} runs of model, tool, model at concurrency 1 on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}\n`,
);
const times = (took: readonly number[]): string[] => [
  ms(percentile(took, 0.5)),
  ms(percentile(took, 0.95)),
];
const ratio = (took: readonly number[]): string =>
  (percentile(took, 0.5) / percentile(plain.took, 0.5)).toFixed(1);
console.log(
  table(
    [
      '',
      'p50 ms',
      'p95 ms',
      'p50 to the plain loop’s',
      'CPU ms a run: ours',
      'Temporal server',
      'events a run',
    ],
    [
      ['plain loop', ...times(plain.took), '1', ms(plain.cpuMs / RUNS), '-', '-'],
      ...measured.map(({ name, took, cpu, events }) => [
        name,
        ...times(took),
        ratio(took),
        ms(cpu[0]),
        ms(cpu[1]),
        String(events),
      ]),
    ],
  ),
);
process.exit(0);
