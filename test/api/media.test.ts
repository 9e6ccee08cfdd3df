// Media at the door, and where they go: once into the store, by reference to the run, and never out
// again.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { mediaBytes, mediaOf } from '../../src/store/runs/media.ts';
import { agent, newOrg, startApiRig, type ApiRig, type Caller, type Reply } from './api-rig.ts';
import { isProblem } from './problems.ts';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const of = (text: string, size = 64): string =>
  Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(size)]).toString('base64');
const png = (bytes: number): string =>
  Buffer.concat([Buffer.from(PNG, 'base64'), Buffer.alloc(bytes)])
    .subarray(0, bytes)
    .toString('base64');

describe('media', () => {
  let api: ApiRig;
  let ada: Caller;
  const org = newOrg();
  before(async () => {
    const agents = [
      agent('seeing', { vision: true }),
      agent('hearing', { audio: true }),
      agent('blind'),
    ];
    api = await startApiRig({ agents: new Map(agents.map((a) => [a.id, a])) });
    ada = api.as('ada', { org });
  });
  after(() => api.close());
  const start = (agentId: string, media: unknown, more: object = {}): Promise<Reply> =>
    ada.call('POST', `/api/agents/${agentId}/runs/background`, {
      body: { message: 'stay', media, ...more },
    });
  const refused = async (agentId: string, media: unknown, path: string): Promise<Reply> => {
    const reply = isProblem(await start(agentId, media), 400, 'INVALID_REQUEST');
    assert.deepEqual(
      reply.json.errors.map((e: { path: string }) => e.path),
      [path],
      reply.text,
    );
    assert.ok(reply.json.detail.includes('media'));
    return reply;
  };

  it('the types that are taken are taken, by what their bytes say', async () => {
    for (const [agentId, type, data] of [
      ['seeing', 'image/png', PNG],
      ['seeing', 'image/jpeg', of('\xff\xd8\xff\xe0')],
      ['seeing', 'image/gif', of('GIF89a')],
      ['seeing', 'image/webp', of('RIFF\x10\0\0\0WEBP')],
      ['hearing', 'audio/wav', of('RIFF\x10\0\0\0WAVE')],
      ['hearing', 'audio/mpeg', of('ID3\x04')],
      ['hearing', 'audio/mp3', of('\xff\xfb\x90')],
      ['seeing', 'image/png', 'https://example.org/a.png'],
    ] as const)
      assert.equal((await start(agentId, [{ type, data }])).status, 200, `${type} ${data}`);
    assert.equal((await start('blind', [])).status, 200);
  });

  it('another type than declared, a dangerous or unknown one, and nothing at all are refused by position', async () => {
    for (const [type, data, field] of [
      ['image/png', of('\xff\xd8\xff\xe0'), 'data'],
      ['image/jpeg', PNG, 'data'],
      ['text/html', of('<script>'), 'type'],
      ['image/svg+xml', of('<svg onload="x"/>'), 'type'],
      ['png', PNG, 'type'],
      ['image/png\r\nX: y', PNG, 'type'],
      ['IMAGE/PNG', PNG, 'type'],
      ['image/png', '***not base64***', 'data'],
      ['image/png', `${PNG}\n`, 'data'],
      ['image/png', PNG.slice(0, -1), 'data'],
      ['image/png', PNG.replaceAll('+', '-'), 'data'],
      ['image/png', `data:image/png;base64,${PNG}`, 'data'],
    ] as const)
      await refused(
        'seeing',
        [
          { type: 'image/png', data: PNG },
          { type, data },
        ],
        `media.1.${field}`,
      );
    for (const [media, path] of [
      [[{ type: 'image/png' }], 'media.0.data'],
      [[{ type: 'image/png', data: '' }], 'media.0.data'],
      [[{ type: 'image/png', data: PNG, x: 1 }], 'media.0.x'],
      [Array(9).fill({ type: 'image/png', data: PNG }), 'media'],
    ] as const)
      await refused('seeing', media, path);
  });

  it('an agent that cannot see or hear: 400 naming which', async () => {
    assert.match(
      (await refused('blind', [{ type: 'image/png', data: PNG }], 'media.0.type')).json.detail,
      /vision/,
    );
    assert.match(
      (
        await refused(
          'seeing',
          [{ type: 'audio/wav', data: of('RIFF\x10\0\0\0WAVE') }],
          'media.0.type',
        )
      ).json.detail,
      /audio/,
    );
  });

  it('inside addresses and other schemes are refused at the door', async () => {
    for (const data of [
      'http://127.0.0.1/x',
      'http://localhost:9/x',
      'http://0x7f.1/x',
      'http://[::ffff:10.0.0.1]/x',
      'file:///etc/passwd',
      '//10.0.0.1/x',
      'http://u:p@example.org/',
    ])
      await refused('seeing', [{ type: 'image/png', data }], 'media.0.data');
  });

  it('ten MiB each and twenty in all; everything else in the body has one', async () => {
    const mib = 2 ** 20;
    assert.equal(
      (
        await start(
          'seeing',
          [9, 9].map((n) => ({ type: 'image/png', data: png(n * mib) })),
        )
      ).status,
      200,
    );
    await refused('seeing', [{ type: 'image/png', data: png(10 * mib + 1) }], 'media.0.data');
    await refused(
      'seeing',
      [7, 7, 6.5].map((n) => ({ type: 'image/png', data: png(n * mib) })),
      'media',
    );
    const padded = `{"message":"stay","media":[{"type":"image/png","data":"${PNG}"}]${' '.repeat(1.2 * mib)}}`;
    const raw = await ada.call('POST', '/api/agents/seeing/runs', {
      raw: padded,
      headers: { 'content-type': 'application/json' },
    });
    isProblem(raw, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('bytes are stored once per org and referred to; no answer shows them; with the last run they go', async () => {
    const fresh = newOrg();
    const eva = api.as('eva', { org: fresh });
    const body = {
      message: 'answer',
      media: [
        { type: 'image/png', data: PNG },
        { type: 'image/png', data: PNG },
      ],
    };
    const runs: string[] = [];
    for (let i = 0; i < 2; i++)
      runs.push((await eva.call('POST', '/api/agents/seeing/runs', { body })).json.runId);
    await api.store.asOrg(fresh, async (tx) => {
      const listed = await mediaOf(tx, runs);
      assert.equal(listed.length, 4);
      assert.equal(new Set(listed.map((item) => item.sha256)).size, 1);
      const bytes = await mediaBytes(tx, fresh, [listed[0]?.sha256 ?? '']);
      assert.equal([...bytes.values()][0]?.toString('base64'), PNG);
    });
    for (const id of runs)
      assert.ok(!(await eva.read('seeing', id)).text.includes(PNG.slice(0, 30)));
    const left = async (): Promise<number> =>
      api.store.asOrg(
        fresh,
        async ({ db: tx }) => (await sql`select 1 from media`.execute(tx)).rows.length,
      );
    await api.store.asWorker(({ db: tx }) =>
      sql`delete from runs where run_id = ${runs[0]}`.execute(tx),
    );
    assert.equal(await left(), 1);
    await api.store.asWorker(({ db: tx }) =>
      sql`delete from runs where run_id = ${runs[1]}`.execute(tx),
    );
    assert.equal(await left(), 0);
  });

  it('a key with the same media joins its run, with others it is refused', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const send = (data: string): Promise<Reply> =>
      ada.call('POST', '/api/agents/seeing/runs/background', {
        headers,
        body: { message: 'stay', media: [{ type: 'image/png', data }] },
      });
    const first = await send(PNG);
    const again = await send(PNG);
    assert.equal(again.json.runId, first.json.runId);
    isProblem(await send(png(200)), 422, 'IDEMPOTENCY_KEY_REUSED');
  });
});
