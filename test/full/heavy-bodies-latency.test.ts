import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';

const SECONDS = 20;
const HEAVY_A_SECOND = 20;
const P99_MS = 250;
const Said = z.object({ url: z.string(), heavy: z.string(), other: z.string() });

const percentile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? Infinity;

describe('heavy bodies of one caller', () => {
  let server: ChildProcess;
  let at: z.infer<typeof Said>;
  before(async function () {
    this.timeout(60_000);
    server = fork(new URL('heavy-bodies-server.ts', import.meta.url), {
      execArgv: ['--import', 'tsx'],
    });
    at = Said.parse((await once(server, 'message'))[0]);
  });
  after(() => server.disconnect());

  const agent = new Agent({ keepAlive: true });
  function ask(method: string, path: string, token: string, body?: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      const req = request(
        `${at.url}${path}`,
        {
          method,
          agent: body === undefined ? agent : false,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body && { 'content-type': 'application/json', 'content-encoding': 'gzip' }),
          },
        },
        (res) => {
          res.resume();
          res.on('end', () => resolve(res.statusCode ?? 0));
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  }

  it(`at ${HEAVY_A_SECOND} a second that inflate to 28 MiB others' liveness and reads keep a p99 below ${P99_MS} ms`, async function () {
    this.timeout(120_000);
    const inflated = `{"message":"x","media":[${'[],'.repeat((28 * 2 ** 20) / 3 - 20)}[]]}`;
    const body = gzipSync(inflated);
    assert.ok(body.length < 40_000);
    const end = performance.now() + SECONDS * 1000;
    let sent = 0;
    const refused: Promise<unknown>[] = [];
    const heavy = setInterval(() => {
      sent++;
      refused.push(
        ask('POST', '/api/agents/guard/runs', at.heavy, body).then(
          (status) => assert.ok([400, 413, 503].includes(status), String(status)),
          // It may be cut while it still sends.
          (error: NodeJS.ErrnoException) => assert.match(error.code ?? '', /ECONNRESET|EPIPE/),
        ),
      );
    }, 1000 / HEAVY_A_SECOND);
    const times: Record<string, number[]> = { '/health/live': [], '/api/runs': [] };
    const read = async (path: string): Promise<void> => {
      while (performance.now() < end) {
        const began = performance.now();
        assert.equal(await ask('GET', path, at.other), 200);
        times[path]?.push(performance.now() - began);
        await sleep(20);
      }
    };
    try {
      await Promise.all(Object.keys(times).map(read));
    } finally {
      clearInterval(heavy);
    }
    await Promise.all(refused);
    const told = Object.entries(times).map(
      ([path, all]) =>
        `${path}: p50 ${percentile(all, 0.5).toFixed(1)} ms, p99 ${percentile(all, 0.99).toFixed(1)} ms of ${all.length}`,
    );
    console.log(`      ${sent} heavy bodies; ${told.join('; ')}`);
    assert.ok(sent >= SECONDS * HEAVY_A_SECOND * 0.8, 'the load was what it is said to be');
    for (const [path, all] of Object.entries(times))
      assert.ok(percentile(all, 0.99) < P99_MS, `${path}: ${told.join('; ')}`);
  });
});
