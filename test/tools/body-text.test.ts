import assert from 'node:assert/strict';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { bodyText } from '../../src/egress/body-text.ts';

const read = (
  bytes: Buffer,
  contentType?: string,
  more: { contentEncoding?: string; truncated?: boolean; maxBytes?: number } = {},
) =>
  bodyText({
    bytes,
    contentType,
    contentEncoding: more.contentEncoding,
    truncated: more.truncated ?? false,
    maxBytes: more.maxBytes ?? 10_000,
  });
const textOf = async (...of: Parameters<typeof read>): Promise<string> => (await read(...of)).text;
const G = 'Größe: 5 °C';

describe('tools: the body of an answer', () => {
  it('is read in the charset that it declares, as browsers read its name', async () => {
    const cases: readonly (readonly [string, Buffer, string])[] = [
      ['text/plain; charset=ISO-8859-1', Buffer.from(G, 'latin1'), G],
      ['text/plain;charset="windows-1252"', Buffer.from([0x80, 0x20, 0x96]), '€ –'],
      ['text/plain; charset=iso-8859-1', Buffer.from([0x93, 0x61, 0x94]), '“a”'],
      ['text/plain; charset=utf-16le', Buffer.from(G, 'utf16le'), G],
      ['text/html; Charset=Shift_JIS', Buffer.from([0x93, 0xfa, 0x96, 0x7b]), '日本'],
      ['text/html; charset=gb2312', Buffer.from([0xd6, 0xd0]), '中'],
      ['text/plain; charset=koi8-r', Buffer.from([0xc4, 0xc1]), 'да'],
      ['text/plain; charset=no-such', Buffer.from(G), G],
      ['text/plain; charset=base64', Buffer.from('plain'), 'plain'],
    ];
    for (const [type, bytes, text] of cases) assert.equal(await textOf(bytes, type), text, type);
  });

  it('is UTF-8 where nothing is declared, or what its mark, its head or its bytes say', async () => {
    assert.equal(await textOf(Buffer.from(G), 'application/json'), G);
    assert.equal(await textOf(Buffer.from(`\ufeff${G}`)), G);
    assert.equal(await textOf(Buffer.from(`\ufeff${G}`, 'utf16le'), 'text/csv'), G);
    const xml = `<?xml version="1.0" encoding="ISO-8859-1"?><a>${G}</a>`;
    assert.equal(await textOf(Buffer.from(xml, 'latin1'), 'text/xml'), xml);
    const html = `<html><meta charset="iso-8859-2"><p>`;
    assert.equal(
      await textOf(Buffer.concat([Buffer.from(html), Buffer.from([0xb3])]), 'text/html'),
      `${html}ł`,
    );
    assert.equal(
      await textOf(
        Buffer.from('Straße;5 €'.replace('€', '\x80'), 'latin1'),
        'application/octet-stream',
      ),
      'Straße;5 €',
    );
  });

  it('is unpacked, as often as it says, and within the limit', async () => {
    const json = '{"place":"Zürich"}';
    for (const [contentEncoding, bytes] of [
      ['gzip', gzipSync(json)],
      ['x-gzip', gzipSync(json)],
      ['deflate', deflateSync(json)],
      ['deflate', deflateRawSync(json)],
      ['br', brotliCompressSync(json)],
      ['gzip, br', brotliCompressSync(gzipSync(json))],
      ['identity', Buffer.from(json)],
      // Not what it says.
      ['gzip', Buffer.from(json)],
      ['unheard-of', Buffer.from(json)],
    ] as const)
      assert.equal(await textOf(bytes, 'application/json', { contentEncoding }), json);
    const bomb = gzipSync(Buffer.alloc(50_000_000, 'a'));
    const { text, truncated } = await read(bomb, 'text/plain', { contentEncoding: 'gzip' });
    assert.deepEqual([text.length, truncated], [10_000, true]);
    const cut = gzipSync(Buffer.from(G.repeat(500))).subarray(0, -12);
    const part = await read(cut, 'text/plain', { contentEncoding: 'gzip', truncated: true });
    assert.ok(part.truncated && part.text.startsWith(G));
  });

  it('that is no text is a line with its type and size, by its bytes and not by its type alone', async () => {
    const noise = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 37) % 256));
    const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), noise]);
    assert.equal(await textOf(png, 'image/png'), '[The answer is no text: image/png, 308 bytes.]');
    assert.match(await textOf(png, 'text/plain; charset=utf-8'), /no text: text\/plain, 308 bytes/);
    assert.match(await textOf(noise), /no text: of no declared type, 300 bytes/);
    assert.match(
      await textOf(Buffer.from('%PDF-1.7\n%%EOF'), 'application/octet-stream'),
      /no text/,
    );
    assert.match(
      await textOf(png, 'image/png', { truncated: true, maxBytes: 100 }),
      /more than 100 bytes/,
    );
    assert.match(
      await textOf(gzipSync(noise), 'image/png', { contentEncoding: 'gzip' }),
      /image\/png, 300 bytes/,
    );
    assert.equal(await textOf(Buffer.from('<svg/>'), 'image/svg+xml'), '<svg/>');
    assert.equal(await textOf(Buffer.from('a,b\n1,2'), 'application/octet-stream'), 'a,b\n1,2');
    assert.equal(await textOf(Buffer.alloc(0), 'image/png'), '');
  });
});
