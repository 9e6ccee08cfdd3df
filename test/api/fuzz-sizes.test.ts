// Hostile sizes, counts and nesting, drawn: bodies of requests, replies of models, arguments of
// calls. Watched are the time on the event loop and the memory that stays. A part of `npm run fuzz`.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { annotated } from '../../src/activities/annotated-reply.ts';
import { storedReply } from '../../src/activities/stored-reply.ts';
import { ModelError, type ModelReply } from '../../src/models/model.ts';
import { createReplyCollector } from '../../src/models/openai/collector.ts';
import { createBodyReader } from '../../src/models/openai/event-lines.ts';
import { describePause } from '../../src/store/calls/describe-pause.ts';
import type { TurnWork } from '../../src/store/turns/turns.ts';
import { checkArguments } from '../../src/tools/arguments.ts';
import { httpAddress } from '../../src/tools/http-address.ts';
import { agent, tool } from '../store/fixture.ts';
import { newOrg, startApiRig, type ApiRig } from './api-rig.ts';

const RUNS = Math.max(20, Math.floor(Number(process.env['FUZZ_REQUESTS'] ?? 300) / 10));
const seed = process.env['FUZZ_SEED'];
const options = { numRuns: RUNS, ...(seed === undefined ? {} : { seed: Number(seed) }) };

/** Below what a probe of liveness waits, by the CPU: others use the machine too. */
const MOST_MS = 1500;
const MOST_BYTES = 400 * 2 ** 20;

function watched<T>(what: string, run: () => T): T {
  const began = process.cpuUsage();
  const before = process.memoryUsage().rss;
  const result = run();
  const { user, system } = process.cpuUsage(began);
  const ms = (user + system) / 1000;
  assert.ok(ms < MOST_MS, `${what}: ${ms} ms`);
  const more = process.memoryUsage().rss - before;
  assert.ok(more < MOST_BYTES, `${what}: ${more} bytes`);
  return result;
}

const size = fc.nat({ max: 16 }).map((bits) => 2 ** bits);
const piece = fc.constantFrom(
  '[',
  '{',
  '[]',
  '{}',
  '1',
  '""',
  '"a"',
  '"\\u0000"',
  ' ',
  '-',
  'é',
  '"k":',
);

describe('hostile sizes, counts and nesting', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  it('of bodies: refused or taken, below 500, and others are answered meanwhile', async function () {
    this.timeout(300_000);
    const ada = api.as('ada', { org: newOrg() });
    const bob = api.as('bob', { org: newOrg() });
    const around = fc.constantFrom(
      (inner: string) => `{"message":"x","media":[${inner}]}`,
      (inner: string) => `{"message":"x","options":{${inner}}}`,
      (inner: string) => `{"message":"x","media":[{"type":"image/png","data":${inner}}]}`,
      (inner: string) => `{"message":${inner}}`,
      (inner: string) => inner,
    );
    const body = fc
      .tuple(around, piece, fc.constantFrom('', ','), size, size)
      .map(([put, one, between, n, deep]) => {
        const count = Math.min(n * 64, 20 * 2 ** 20);
        const flat =
          `${one}${between}`.repeat(Math.max(1, Math.floor(count / (one.length + 1)))) + one;
        const nested = '['.repeat(Math.min(deep, 4096)) + one + ']'.repeat(Math.min(deep, 4096));
        return put(n % 2 === 0 ? flat : nested);
      });
    await fc.assert(
      fc.asyncProperty(body, async (raw) => {
        const began = process.cpuUsage();
        const [reply, live] = await Promise.all([
          ada.call('POST', '/api/agents/guard/runs', {
            raw: gzipSync(raw, { level: 1 }),
            headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
          }),
          bob.call('GET', '/api/agents'),
        ]);
        const { user, system } = process.cpuUsage(began);
        assert.ok(reply.status < 500 && live.status === 200, `${reply.status} ${live.status}`);
        assert.ok(
          (user + system) / 1000 < 2 * MOST_MS,
          `${raw.length}: ${(user + system) / 1000} ms`,
        );
      }),
      options,
    );
  });

  const name = fc.constantFrom('send', 'look', 'nothing', '', 'x'.repeat(5000), '\u202e');
  const fragment = fc.record(
    {
      index: fc.constantFrom(0, 1, 7, -1),
      id: fc.constantFrom('', 'a', 'b'),
      function: fc.record(
        { name, arguments: fc.constantFrom('', '{}', '{"x":1}', '{"x":', '"', '}') },
        { requiredKeys: [] },
      ),
      extra: fc.constantFrom(undefined, 'e'.repeat(100)),
    },
    { requiredKeys: [] },
  );

  it('of replies: in bounded time a reply or a fault of the model’s; what goes to Temporal is bounded', () => {
    const work = { run: { orgId: 'acme' }, agent: agent() } as unknown as TurnWork;
    fc.assert(
      fc.property(
        fc.array(fragment, { minLength: 1, maxLength: 8 }),
        size,
        fc.boolean(),
        (kinds, n, spread) => {
          const reply = watched(`${n} fragments of ${JSON.stringify(kinds).slice(0, 300)}`, () => {
            const collector = createReplyCollector(() => undefined);
            try {
              for (let i = 0; i < n; i++) {
                const of = kinds[i % kinds.length];
                const calls = [spread ? { ...of, index: i, id: `c${i}` } : of];
                collector.take({ choices: [{ delta: { tool_calls: calls } }] });
              }
              collector.take({ choices: [{ delta: {}, finish_reason: 'tool_calls' }] });
              return collector.reply('m');
            } catch (error) {
              if (!(error instanceof ModelError)) throw error;
              return undefined;
            }
          });
          if (reply !== undefined) bounded(reply, work);
        },
      ),
      options,
    );
  });

  /** A turn has a thousand calls at most: past it the reply is not stored. */
  function bounded(reply: ModelReply, work: TurnWork): void {
    const first = { ...reply, toolCalls: reply.toolCalls.slice(0, 1000) };
    const stored = watched('storing', () => storedReply(first, 'm', work, 'run_1', 1));
    const told = watched('telling', () => annotated(stored, work.agent));
    assert.ok(Buffer.byteLength(JSON.stringify(told)) < 512 * 1024);
    const calls = stored.calls.map((call) => ({
      ...({ ...call, kind: 'APPROVAL', guarded: true, evidence: null, expiresAt: null } as const),
    }));
    if (calls.length === 0) return;
    const text = describePause('pause_1', calls as never, {
      quorum: 1,
      fourEyes: false,
      operators: 'full',
    });
    assert.ok(Buffer.byteLength(text) < 20_000);
  }

  it('of event streams, cut anywhere: in bounded time, and what is open is counted', () => {
    const line = fc.constantFrom(
      'data: {"a":1}\n',
      'data: x',
      '\n',
      '\r',
      ': c\n',
      'data:\n',
      '{',
      'error: e\n',
      '\ufeff',
    );
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), size, (lines, n) => {
        watched(`${n} times ${JSON.stringify(lines)}`, () => {
          let given = 0;
          const reader = createBodyReader({ onData: () => undefined, onBody: () => undefined });
          for (let i = 0; i < n; i++) {
            const one = lines[i % lines.length] ?? '';
            given += one.length;
            reader.take(one);
            // An error's line is kept as the JSON that it stands for.
            assert.ok(reader.pending() <= 3 * given, `${reader.pending()} of ${given}`);
          }
          reader.end();
        });
      }),
      options,
    );
  });

  it('of arguments: in bounded time, and none that is not declared reaches an address', () => {
    const declared = tool('find', {
      input: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          tags: { type: 'array', uniqueItems: true },
          s: { type: 'string', pattern: '^(a|a)*$' },
        },
        required: ['id'],
      },
      http: { method: 'GET', url: 'http://x.test/{id}?customer=acme', headers: {} },
    });
    const key = fc.constantFrom(
      'id',
      'tags',
      's',
      'customer',
      'Customer',
      'customer[]',
      'constructor',
      'zz',
    );
    const value = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.tuple(fc.constantFrom('a', '[', 'a!', '😀'), size).map(([one, n]) => one.repeat(n)),
      size.map((n) => Array.from({ length: n }, (_, i) => `s${i}`)),
      size.map(
        (n) => JSON.parse('['.repeat(Math.min(n, 2000)) + ']'.repeat(Math.min(n, 2000))) as unknown,
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(key, value), (args) => {
        const text = JSON.stringify({ id: '1', ...args });
        const checked = watched(`arguments of ${text.length}`, () =>
          checkArguments(text, declared),
        );
        if (!checked.ok || declared.http === undefined) return;
        assert.ok(Object.keys(checked.value).every((each) => ['id', 'tags', 's'].includes(each)));
        const asked = new URL(
          httpAddress(declared.http, { ...checked.value, tags: null }, () => ''),
        );
        assert.deepEqual(asked.searchParams.getAll('customer'), ['acme']);
      }),
      options,
    );
  });
});
