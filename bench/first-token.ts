// `npm run bench:first-token`: what Holdpoint adds to the first token, against the same scripted model called directly. One process (a real
// `npm start`), one stream at a time, the two ways taken in turns so that the machine's moods hit both. RUNS=N, 100 by default.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { openStream } from '../test/api/stream-rig.ts';
import { openStage, tokenOf } from '../test/e2e/stage.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { temporalCliPath } from '../test/rig/temporal.ts';
import { cpuMsOf, ms, percentile, table } from './measure.ts';

const RUNS = Number(process.env['RUNS'] ?? 100);
const WARM_UP = 20;
/** Between being asked and the first token: a model that answers at once would hide behind its own answer's end. */
const THINKS_MS = 20;

/** When the model was last asked, and when it said its first token. */
const model = { askedAt: 0, saidAt: 0 };
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    model.askedAt = performance.now();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (delta: object, finish: string | null = null): void =>
      void response.write(`data: ${JSON.stringify({ model: 'scripted', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
    setTimeout(() => {
      model.saidAt = performance.now();
      send({ content: 'one ' });
      setTimeout(() => {
        send({ content: 'two' });
        send({}, 'stop');
        response.end('data: [DONE]\n\n');
      }, THINKS_MS);
    }, THINKS_MS);
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

interface Took {
  readonly whole: number;
  readonly start: number;
  readonly asked: number;
  readonly delivery: number;
}

async function direct(): Promise<Took> {
  const began = performance.now();
  const body = JSON.stringify({ model: 'scripted', stream: true, messages: [{ role: 'user', content: 'x' }] });
  const response = await fetch(`${modelUrl}/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  let first = 0;
  for await (const _ of response.body ?? []) first ||= performance.now();
  return { whole: first - began, start: 0, asked: model.askedAt - began, delivery: first - model.saidAt };
}

async function through(url: string, token: string): Promise<Took> {
  const began = performance.now();
  const stream = await openStream(`${url}/api/agents/helper/runs/stream`, { token, body: { message: 'x' } });
  await stream.first('START');
  const start = performance.now() - began;
  await stream.first('CONTENT_DELTA');
  const whole = performance.now() - began;
  const took = { whole, start, asked: model.askedAt - began, delivery: began + whole - model.saidAt };
  await stream.ended;
  return took;
}

const stage = await openStage();
const dataDir = tempDir();
const env = { ...stage.env, OPENAI_BASE_URL: modelUrl, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() };
const product = await startProduct({ role: 'start', env });
const token = await tokenOf('ada');
for (let i = 0; i < WARM_UP; i++) {
  await direct();
  await through(product.url, token);
}
const child = (JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')) as { pid: number }).pid;
const cpuNow = (): readonly [ours: number, server: number] => [cpuMsOf(product.pid() ?? 0), cpuMsOf(child)];
const before = cpuNow();
const ours: Took[] = [];
const theirs: Took[] = [];
for (let i = 0; i < RUNS; i++) {
  theirs.push(await direct());
  ours.push(await through(product.url, token));
}
const after = cpuNow();
await product.stop();
await stage.close();

const at = (list: readonly Took[], stageOf: keyof Took, share = 0.5): number => percentile(list.map((took) => took[stageOf]), share); // prettier-ignore
const row = (name: string, list: readonly Took[]): string[] => [
  name,
  ...[
    at(list, 'whole'),
    at(list, 'whole', 0.95),
    at(list, 'start'),
    at(list, 'asked'),
    at(list, 'delivery'),
    at(list, 'delivery', 0.95),
  ].map(ms),
];
console.log(`${RUNS} streams at concurrency 1 on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}; in ms\n`);
console.log(
  table(
    ['', 'first token p50', 'p95', 'START p50', 'model asked p50', 'said to received p50', 'p95'],
    [row('model directly', theirs), row('Holdpoint', ours)],
  ),
);
const [oursMs, serverMs] = [(after[0] - before[0]) / RUNS, (after[1] - before[1]) / RUNS];
console.log(`\nCPU a stream: ours ${ms(oursMs)} ms, Temporal server ${ms(serverMs)} ms`);
console.log(`added at the median: ${ms(at(ours, 'delivery') - at(theirs, 'delivery'))} ms from the model's mouth to the client,`);
console.log(
  `  ${ms(at(ours, 'whole') - at(theirs, 'whole'))} ms from the request to the first token (it begins with the run's commit and its start)`,
);
process.exit(0);
