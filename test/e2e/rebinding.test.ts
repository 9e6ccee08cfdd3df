// Names that change their answer, for real: in a network of the test's own, with its own name
// server, a public address and inside ones. A web server at each of them gives whoever comes what
// he asks for, and tells the test.

import assert from 'node:assert/strict';
import { openNetwork, type PrivateNetwork } from '../rig/private-network.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import type { Commands } from './rebinding-inside.ts';
import { plan } from './stage.ts';

const PUBLIC = '93.184.216.34';
const PUBLIC_V6 = '2606:2800:220:1::34';
const INSIDE = [
  '127.0.0.1',
  '10.0.0.7',
  '169.254.169.254',
  '192.168.7.7',
  '::1',
  'fd00::7',
  '::ffff:10.0.0.7',
];
const NOT_PUBLIC = 'the address is not a public one';

describe('names that change their answer', function () {
  this.timeout(90_000);
  let net: PrivateNetwork<Commands>;
  let made = 0;
  before(async function () {
    net = await openNetwork<Commands>(this, new URL('./rebinding-inside.ts', import.meta.url));
  });
  after(() => net?.close());

  /** A new name that gives these answers, one a lookup. */
  const named = async (...answers: readonly (readonly string[])[]): Promise<string> => {
    const name = `n${++made}.test`;
    await net.call('names', name, answers);
    return name;
  };
  const reached = async (): Promise<readonly string[]> =>
    (await net.call('hits')).map(({ address, path }) => `${address}${path}`);

  it('lead a reader inside who judges a name by one lookup and connects to it by another', async () => {
    for (const inside of INSIDE.slice(0, 4)) {
      const name = await named([PUBLIC], [inside]);
      assert.equal(await net.call('readCarelessly', `http://${name}/`), `read at ${inside}`);
      assert.deepEqual(await reached(), [`${inside}/`]);
    }
  });

  it('are looked up once and connected to as they were judged: the public answer is read, the inside is never reached', async () => {
    for (const inside of INSIDE) {
      const name = await named([PUBLIC], [inside]);
      assert.deepEqual(await net.call('read', `http://${name}/`), {
        kind: 'ANSWER',
        text: `read at ${PUBLIC}`,
      });
      assert.equal(await net.call('lookups', name), 1);
      assert.deepEqual(await net.call('read', `http://${name}/`), {
        kind: 'REFUSED',
        why: NOT_PUBLIC,
      });
      assert.deepEqual(await reached(), [`${PUBLIC}/`], inside);
    }
  });

  it('are judged anew at every read, however often they change', async () => {
    const answers = Array.from({ length: 60 }, (_, i) => [
      i % 2 === 0 ? PUBLIC : (INSIDE[i % INSIDE.length] ?? ''),
    ]);
    const name = await named(...answers);
    for (let i = 0; i < answers.length; i++)
      assert.equal(
        (await net.call('read', `http://${name}/`)).kind,
        i % 2 === 0 ? 'ANSWER' : 'REFUSED',
      );
    assert.deepEqual(new Set(await reached()), new Set([`${PUBLIC}/`]));
  });

  it('are read when every answer is public, of both families', async () => {
    for (const answer of [[PUBLIC_V6], [PUBLIC, PUBLIC_V6], ['elsewhere.test', PUBLIC]]) {
      const got = await net.call('read', `http://${await named(answer)}/`);
      assert.equal(got.kind, 'ANSWER', `${answer.join()}: ${got.why}`);
    }
    assert.equal((await reached()).length, 3);
  });

  it('are refused as a whole when one of several answers is inside, whatever its family, its place and the alias it came by', async () => {
    for (const inside of INSIDE)
      for (const answer of [
        [PUBLIC, inside],
        [inside, PUBLIC],
        [PUBLIC_V6, inside],
        [PUBLIC, PUBLIC_V6, inside],
        ['inside.test', inside],
        ['inside.test', PUBLIC, inside],
      ])
        assert.deepEqual(
          await net.call('read', `http://${await named(answer)}/`),
          { kind: 'REFUSED', why: NOT_PUBLIC },
          answer.join(),
        );
    assert.deepEqual(await reached(), []);
  });

  it('lead nowhere by a redirect: into an inside name, an inside address, or the same name a moment later', async () => {
    const door = await named([PUBLIC]);
    for (const inside of INSIDE) {
      const host = inside.includes(':') ? `[${inside}]` : inside;
      const same = await named([PUBLIC], [inside]);
      for (const [from, to] of [
        [door, `http://${await named([inside])}/secret`],
        [door, `http://${host}/secret`],
        [same, `http://${same}/secret`],
        [same, '//localhost/secret'],
      ]) {
        const got = await net.call('read', `http://${from}/to?${encodeURIComponent(to ?? '')}`);
        assert.equal(got.kind, 'REFUSED', `${from} ${to}`);
      }
    }
    const all = await reached();
    assert.deepEqual([...new Set(all)], [`${PUBLIC}/to`]);
    const good = await named([PUBLIC]);
    assert.equal(
      (await net.call('read', `http://${door}/to?${encodeURIComponent(`http://${good}/`)}`)).text,
      `read at ${PUBLIC}`,
    );
    assert.deepEqual(await reached(), [`${PUBLIC}/to`, `${PUBLIC}/`]);
  });

  describe('in a run of a real `npm start`', () => {
    before(async () => net.call('startProduct', await temporalCliPath()));

    it('a picture is fetched from the public address, and never from inside: such a run ends with MEDIA_UNAVAILABLE', async () => {
      for (const inside of ['127.0.0.1', '10.0.0.7', 'fd00::7']) {
        const picture = `http://${await named([PUBLIC], [inside])}/picture.png`;
        const seen = await net.call('run', plan('Seen.'), [picture]);
        assert.deepEqual(
          [seen.status, seen.content],
          ['COMPLETED', 'Seen.'],
          JSON.stringify(seen.error),
        );
        const same = await named([PUBLIC], [inside]);
        for (const address of [
          picture,
          `http://${await named([PUBLIC, inside])}/picture.png`,
          `http://${same}/to?${encodeURIComponent(`http://${same}/picture.png`)}`,
        ]) {
          const run = await net.call('run', plan('Seen.'), [address]);
          assert.deepEqual([run.status, run.error?.code], ['FAILED', 'MEDIA_UNAVAILABLE'], address);
          assert.doesNotMatch(JSON.stringify(run.error), /\d+\.\d+\.\d+\.\d+|fd00/);
        }
        assert.deepEqual(await reached(), [`${PUBLIC}/picture.png`, `${PUBLIC}/to`]);
      }
    });

    it('a page that a model asks for is read at the public address, and never inside: the model learns that it was not read', async () => {
      for (const inside of ['127.0.0.1', '169.254.169.254', '::1']) {
        const page = `http://${await named([PUBLIC], [inside])}/page`;
        const look = plan([['read_page', { url: page }]], 'Read.');
        const read = await net.call('run', look, []);
        assert.match(read.tools[0]?.result ?? '', new RegExp(`read at ${PUBLIC}`));
        const again = await net.call('run', look, []);
        assert.deepEqual(
          [again.tools[0]?.isError, again.tools[0]?.result],
          [true, `The page was not read: ${NOT_PUBLIC}.`],
        );
        assert.equal(again.status, 'COMPLETED');
        assert.deepEqual(await reached(), [`${PUBLIC}/page`]);
      }
    });
  });
});
