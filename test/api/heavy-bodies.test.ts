import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { createBodyBudget } from '../../src/api/http/body-budget.ts';
import { isMediaText } from '../../src/api/runs/media.ts';
import { parseStrict } from '../../src/json/strict.ts';
import { newOrg, startApiRig, type ApiRig, type Reply } from './api-rig.ts';
import { isProblem } from './problems.ts';

const MIB = 2 ** 20;
const times = (n: number, text: string): string => `${text},`.repeat(n - 1) + text;

/** A body of about `bytes`, all of it where nothing large belongs. */
const KINDS: Readonly<Record<string, (bytes: number) => string>> = {
  'empty lists among the media': (b) => `{"message":"x","media":[${times(b / 3, '[]')}]}`,
  'lists in lists': (b) =>
    `{"message":"x","media":[${times(b / 61, '['.repeat(29) + ']'.repeat(29))}]}`,
  'numbers in a list': (b) => `{"message":"x","media":[${times(b / 2, '1')}]}`,
  'objects without end': (b) => `{"message":"x","media":[${times(b / 3, '{}')}]}`,
  'many keys': (b) =>
    `{"message":"x","options":{${Array.from({ length: b / 12 }, (_, i) => `"k${i}":1`).join(',')}}}`,
  'a long text beside the media': (b) => `{"message":"x","media":[],"note":"${'a'.repeat(b)}"}`,
  'a long text deeper than media': (b) =>
    `{"message":"x","media":[{"type":"image/png","data":{"data":"${'a'.repeat(b)}"}}]}`,
  'a long type of a medium': (b) => `{"message":"x","media":[{"type":"${'a'.repeat(b)}"}]}`,
  'media beyond their number': (b) =>
    `{"message":"x","media":[${times(8, '1')},{"type":"image/png","data":"${'a'.repeat(b)}"}]}`,
  'a long key': (b) => `{"message":"x","${'k'.repeat(b)}":1}`,
  'white space': (b) => `{"message":"x",${' '.repeat(b)}"media":[]}`,
  'a medium written with escapes': (b) =>
    `{"message":"x","media":[{"type":"image/png","data":"${'\\u0061'.repeat(b / 6)}"}]}`,
};

describe('bodies that are heavy for what they say', () => {
  let api: ApiRig;
  let ada: ReturnType<ApiRig['as']>;
  before(async () => {
    api = await startApiRig();
    ada = api.as('ada', { org: newOrg() });
  });
  after(() => api.close());
  const post = (raw: Buffer): Promise<Reply> =>
    ada.call('POST', '/api/agents/guard/runs', {
      raw,
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });

  for (const [kind, body] of Object.entries(KINDS))
    it(`${kind}: refused without being parsed, however small it was packed`, async () => {
      const reply = await post(gzipSync(body(14 * MIB)));
      assert.ok([400, 413].includes(reply.status), reply.text.slice(0, 200));
      isProblem(reply, reply.status, reply.status === 413 ? 'PAYLOAD_TOO_LARGE' : 'MALFORMED_JSON');
      // Twice as much costs no more: it is read as far as the limit.
      const text = body(28 * MIB);
      const bounded = parseStrict(text, {
        maxBytes: MIB,
        maxItems: 10_000,
        uncounted: isMediaText,
      });
      assert.equal(bounded.ok, false);
    });

  it('declared media pass, as long as what is beside them is within 1 MiB', () => {
    const limits = { maxBytes: MIB, maxItems: 10_000, uncounted: isMediaText };
    const data = 'QUJD'.repeat(3 * MIB);
    const whole = {
      media: [
        { type: 'image/png', data },
        { type: 'audio/wav', data },
      ],
      message: 'x',
    };
    const taken = parseStrict(JSON.stringify(whole), limits);
    assert.ok(taken.ok);
    assert.deepEqual(taken.value, whole);
    const beside = parseStrict(JSON.stringify({ ...whole, message: 'm'.repeat(MIB) }), limits);
    assert.ok(!beside.ok && beside.tooLarge);
    for (const broken of ['\n', '\\q', '"'])
      assert.equal(
        parseStrict(`{"media":[{"data":"${'a'.repeat(2000)}${broken}"}]}`, limits).ok,
        false,
      );
  });
});

describe('the bodies of all requests together', () => {
  it('are bounded for a caller and in all; a small body is always taken, and what ended makes room', () => {
    const budget = createBodyBudget();
    const fill = (caller: string): { close: () => void; got: number } => {
      const share = budget.open(caller);
      let got = 0;
      while (got < 28 && share.take(MIB)) got++;
      return { close: share.close, got };
    };
    const ada = ['ada', 'ada', 'ada'].map(fill);
    assert.deepEqual(
      ada.map(({ got }) => got),
      [28, 28, 8],
    );
    const others = ['bob', 'bob', 'bob', 'cy'].map(fill);
    assert.deepEqual(
      others.map(({ got }) => got),
      [28, 28, 8, 0],
    );
    assert.equal(budget.open('dee').take(60_000), true);
    for (const { close } of ada) close();
    assert.equal(fill('cy').got, 28);
  });

  it('past the bound a large body is 503 with Retry-After, and nothing stays held', async () => {
    const api = await startApiRig();
    try {
      const ada = api.as('ada', { org: newOrg() });
      const data = 'QUJD'.repeat((27 * MIB) / 4);
      const raw = gzipSync(JSON.stringify({ message: 'x', media: [{ type: 'image/png', data }] }), {
        level: 1,
      });
      const send = (): Promise<Reply> =>
        ada.call('POST', '/api/agents/guard/runs', {
          raw,
          headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
        });
      const replies = await Promise.all(Array.from({ length: 8 }, send));
      const full = replies.filter(({ status }) => status === 503);
      assert.ok(full.length > 0, replies.map(({ status }) => status).join());
      for (const reply of full)
        assert.equal(isProblem(reply, 503, 'UNAVAILABLE').headers['retry-after'], '2');
      assert.equal((await send()).status, 400, 'it is no picture');
    } finally {
      await api.close();
    }
  });
});
