import assert from 'node:assert/strict';
import { MEDIA_MAX_COUNT } from '../../src/contract/media.ts';
import { readResult } from '../../src/mcp/result.ts';

const PNG = Buffer.from('89504e470d0a1a0a00', 'hex').toString('base64');
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const text = (words: string) => ({ type: 'text', text: words });
const said = (content: unknown, more: object = {}): string => readResult({ content, ...more }).text;

describe('the result of a call of an MCP server’s tool', () => {
  it('is its text, part by part, and empty where it has none', () => {
    assert.equal(said([text('a'), text('b')]), 'a\nb');
    assert.equal(said([]), '');
    assert.equal(said(undefined), '');
  });

  it('says structured content as JSON, once', () => {
    const structuredContent = { count: 2, first: 'a' };
    assert.equal(said([], { structuredContent }), '{"count":2,"first":"a"}');
    assert.equal(
      said([text('{"first":"a","count":2}')], { structuredContent }),
      '{"first":"a","count":2}',
    );
    assert.equal(said([text('two')], { structuredContent }), 'two\n{"count":2,"first":"a"}');
    assert.equal(said([text('two')], { structuredContent: { content: 'two' } }), 'two');
  });

  it('says links, embedded resources and what it does not know in words', () => {
    const link = {
      type: 'resource_link',
      uri: 'file:///a.md',
      name: 'a',
      mimeType: 'text/markdown',
    };
    assert.equal(said([link]), '[A resource: a, file:///a.md, text/markdown]');
    const resource = { uri: 'file:///b.md', text: 'What stands in it.' };
    assert.equal(said([{ type: 'resource', resource }]), 'What stands in it.');
    const blob = { uri: 'file:///c.zip', mimeType: 'application/zip', blob: 'AAAA' };
    assert.match(said([{ type: 'resource', resource: blob }]), /c\.zip.*3 bytes that are no text/);
    assert.match(said([{ type: 'hologram' }, 7]), /"hologram".*\n\[A part that is not understood/);
  });

  it('keeps pictures and sound that are what they say, as many as a model takes, and tells of each', () => {
    const { text: words, media } = readResult({ content: [image] });
    assert.deepEqual([words, media.length], ['[An image: image/png, 9 bytes.]', 1]);
    const other = { ...image, mimeType: 'image/jpeg' };
    assert.match(said([other]), /It is not shown: it is not of the type image\/jpeg/);
    assert.match(said([{ ...image, mimeType: 'image/tiff' }]), /not one that can be shown/);
    const many = readResult({ content: Array.from({ length: MEDIA_MAX_COUNT + 1 }, () => image) });
    assert.equal(many.media.length, MEDIA_MAX_COUNT);
    assert.match(many.text, /there are too many of them/);
    const wav = Buffer.from('RIFF0000WAVE').toString('base64');
    assert.equal(
      said([{ type: 'audio', data: wav, mimeType: 'audio/wav' }]),
      '[A recording: audio/wav, 12 bytes.]',
    );
  });
});
