// `npm run bench:first-token`: what Holdpoint adds to the first token, against the same scripted
// model called directly, in one process (a real `npm start`) and with the roles apart. One stream
// at a time, the two ways taken in turns so that the machine's moods hit both. RUNS=N, 100 by
// default.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { openStream } from '../test/api/stream-rig.ts';
import { openStage, tokenOf } from '../test/e2e/stage.ts';
import { cpuEach, DEPLOYMENTS, type Cpu, type Deployment } from './deployments.ts';
import { ms, percentile, table } from './measure.ts';

const RUNS = Number(process.env['RUNS'] ?? 100);
const WARM_UP = 20;
/**
 * Between being asked and the first token: a model that answers at once would hide behind its own
 * answer's end.
 */
const THINKS_MS = 20;

/** When the model was last asked, and when it said its first token. */
const model = { askedAt: 0, saidAt: 0 };
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    model.askedAt = performance.now();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (delta: object, finish: string | null = null): void =>
      void response.write(
        `data: ${JSON.stringify({ model: 'scripted', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
      );
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
  const body = JSON.stringify({
    model: 'scripted',
    stream: true,
    messages: [{ role: 'user', content: 'x' }],
  });
  const response = await fetch(`${modelUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  let first = 0;
  for await (const _ of response.body ?? []) first ||= performance.now();
  return {
    whole: first - began,
    start: 0,
    asked: model.askedAt - began,
    delivery: first - model.saidAt,
  };
}

async function through(url: string, token: string): Promise<Took> {
  const began = performance.now();
  const stream = await openStream(`${url}/api/agents/helper/runs/stream`, {
    token,
    body: { message: 'x' },
  });
  await stream.first('START');
  const start = performance.now() - began;
  await stream.first('CONTENT_DELTA');
  const whole = performance.now() - began;
  const took = {
    whole,
    start,
    asked: model.askedAt - began,
    delivery: began + whole - model.saidAt,
  };
  await stream.ended;
  return took;
}

const stage = await openStage();
const token = await tokenOf('ada');

interface Measured {
  readonly name: string;
  readonly ours: readonly Took[];
  readonly theirs: readonly Took[];
  readonly cpu: Cpu;
}

async function measure({ name, url, cpu, stop }: Deployment): Promise<Measured> {
  for (let i = 0; i < WARM_UP; i++) {
    await direct();
    await through(url, token);
  }
  const before = cpu();
  const [ours, theirs]: [Took[], Took[]] = [[], []];
  for (let i = 0; i < RUNS; i++) {
    theirs.push(await direct());
    ours.push(await through(url, token));
  }
  const after = cpu();
  await stop();
  return { name, ours, theirs, cpu: cpuEach(before, after, RUNS) };
}

const measured: Measured[] = [];
for (const deploy of DEPLOYMENTS)
  measured.push(await measure(await deploy({ ...stage.env, OPENAI_BASE_URL: modelUrl })));
await stage.close();

const at = (list: readonly Took[], stageOf: keyof Took, share = 0.5): number =>
  percentile(
    list.map((took) => took[stageOf]),
    share,
  );
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
console.log(
  `${RUNS} streams at concurrency 1 on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}; in ms\n`,
);
const head = [
  '',
  'first token p50',
  'p95',
  'START p50',
  'model asked p50',
  'said to received p50',
  'p95',
];
console.log(
  table(
    head,
    measured.flatMap(({ name, ours, theirs }) => [row('model directly', theirs), row(name, ours)]),
  ),
);
for (const { name, ours, theirs, cpu } of measured) {
  const added = (of: keyof Took): string => ms(at(ours, of) - at(theirs, of));
  console.log(
    `\n${name}: added at the median ${added('delivery')} ms from the model's mouth to the client,`,
  );
  console.log(
    `  ${added('whole')} ms from the request to the first token (it begins with the run's commit and its start);`,
  );
  console.log(`  CPU a stream: ours ${ms(cpu[0])} ms, Temporal server ${ms(cpu[1])} ms`);
}
process.exit(0);
