import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWK } from 'jose';
import { createAuthenticate } from '../../src/api/auth/authenticate.ts';
import { AppError } from '../../src/contract/errors.ts';
import { CONFIG, SECRET } from './api-rig.ts';

const nowS = (): number => Math.floor(Date.now() / 1000);
const claims = (more: object = {}): object => ({
  sub: 'ada',
  org_id: 'acme',
  scope: 'runs:read',
  iat: nowS() - 1,
  exp: nowS() + 1800,
  ...more,
});
const b64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token by hand: jose would not sign most of these. */
function hs(
  payload: unknown,
  {
    header = {},
    secret = SECRET,
    alg = 'HS256',
  }: { header?: object; secret?: string; alg?: string } = {},
): string {
  const text = `${b64({ alg, typ: 'JWT', ...header })}.${b64(payload)}`;
  return `${text}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(text)
    .digest('base64url')}`;
}

describe('tokens with a shared secret', () => {
  const authenticate = createAuthenticate({ ...CONFIG, auth: { kind: 'secret', secret: SECRET } });
  const take = (token: string): ReturnType<typeof authenticate> =>
    authenticate([`Bearer ${token}`]);
  const refuse = (
    header: readonly string[],
    challenge = 'Bearer error="invalid_token"',
  ): Promise<void> =>
    assert.rejects(authenticate(header), (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, 'UNAUTHENTICATED');
      assert.equal(error.extras.headers?.['WWW-Authenticate'], challenge);
      return true;
    });

  it('a good one becomes a caller, whatever the case of the scheme', async () => {
    const token = hs(claims({ scope: 'runs:read runs:write', roles: ['boss', 7], service: true }));
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const caller = await authenticate([`${scheme} ${token}`]);
      assert.deepEqual(
        { ...caller, expiresAt: 0 },
        {
          subject: 'ada',
          orgId: 'acme',
          scopes: new Set(['runs:read', 'runs:write']),
          roles: ['boss'],
          service: true,
          expiresAt: 0,
        },
      );
      assert.ok(caller.expiresAt.getTime() > Date.now());
    }
  });

  it('where no bearer token came the challenge is a plain one', async () => {
    for (const header of [[], [''], ['Basic YTpi'], [hs(claims())]]) await refuse(header, 'Bearer');
  });

  it('malformed, doubled, cut and unsigned ones are refused', async () => {
    const good = hs(claims());
    const [head, , signature] = good.split('.');
    const unsigned = `${b64({ alg: 'none' })}.${b64(claims())}.`;
    for (const text of [
      '',
      'abc.def',
      `${good} ${good}`,
      good.slice(0, -4),
      `${head}.${b64(claims({ sub: 'root' }))}.${signature}`,
      unsigned,
      `${unsigned}AAAA`,
    ])
      await refuse([`Bearer ${text}`]);
    await refuse([`Bearer ${good}`, `Bearer ${good}`]);
    await refuse([`Bearer ${hs(claims(), { secret: 'x'.repeat(43) })}`]);
    await refuse([`Bearer ${hs(claims(), { alg: 'HS512' })}`]);
  });

  it('times: expired, not yet valid, made in the future, endless and too long ones are refused; 20 s of skew are taken', async () => {
    const bad = [
      { exp: nowS() - 60 },
      { nbf: nowS() + 120 },
      { iat: nowS() + 120 },
      { exp: undefined },
      { iat: undefined },
      { exp: nowS() + 90_000 },
      { exp: '9999999999' },
      { iat: 'x' },
    ];
    for (const more of bad) await refuse([`Bearer ${hs(claims(more))}`]);
    for (const more of [
      { exp: nowS() - 15 },
      { nbf: nowS() + 15 },
      { iat: nowS() + 15 },
      { exp: nowS() + 82_000 },
    ])
      await take(hs(claims(more)));
  });

  it('headers: strange types, crit, and keys brought along are refused; typ absent, JWT and at+jwt are taken', async () => {
    for (const header of [
      { typ: 'dpop+jwt' },
      { typ: 7 },
      { crit: ['x'], x: 1 },
      { crit: [] },
      { jwk: { kty: 'oct', k: 'AA' } },
      { jku: 'http://x' },
      { x5u: 'http://x' },
    ])
      await refuse([`Bearer ${hs(claims(), { header })}`]);
    for (const typ of [undefined, 'JWT', 'at+jwt']) await take(hs(claims(), { header: { typ } }));
  });

  it('a name given twice is refused in the payload and in the header', async () => {
    const text = JSON.stringify(claims());
    await refuse([`Bearer ${hs(`${text.slice(0, -1)},"org_id":"evil"}`)}`]);
    const head = b64('{"alg":"HS256","typ":"JWT","alg":"HS256"}');
    const signed = `${head}.${b64(text)}`;
    await refuse([
      `Bearer ${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`,
    ]);
  });

  it('a subject or org that is missing, empty, no text or unprintable is refused, and so is the subject "operator"', async () => {
    for (const value of [
      undefined,
      '',
      7,
      null,
      ['ada'],
      { a: 1 },
      'a b',
      'x'.repeat(201),
      'a\u0000b',
    ]) {
      await refuse([`Bearer ${hs(claims({ sub: value }))}`]);
      await refuse([`Bearer ${hs(claims({ org_id: value }))}`]);
    }
    await refuse([`Bearer ${hs(claims({ sub: 'operator' }))}`]);
  });

  it('scp is as good as scope, as text or list; roles that are not what they should be are none', async () => {
    const scopes = async (more: object): Promise<readonly string[]> => [
      ...(await take(hs(claims(more)))).scopes,
    ];
    assert.deepEqual(await scopes({ scope: undefined, scp: 'a b' }), ['a', 'b']);
    assert.deepEqual(await scopes({ scope: undefined, scp: ['a', 'b'] }), ['a', 'b']);
    assert.deepEqual(await scopes({ scope: undefined }), []);
    assert.deepEqual((await take(hs(claims({ roles: 'boss' })))).roles, []);
  });

  it('anything but the absence of the service claim, or false, is a service', async () => {
    for (const service of [true, 'true', 'false', '', 1, 0, null, {}, ['yes']])
      assert.equal((await take(hs(claims({ service })))).service, true, JSON.stringify(service));
    for (const service of [undefined, false])
      assert.equal((await take(hs(claims({ service })))).service, false);
  });

  it('a subject that is a name of our own is refused, in any case', async () => {
    for (const sub of ['holdpoint', 'operator', 'expiry', 'after-restore', 'HoldPoint', 'EXPIRY'])
      await refuse([`Bearer ${hs(claims({ sub }))}`]);
    assert.equal((await take(hs(claims({ sub: 'operators' })))).subject, 'operators');
  });

  it('issuer and audience are demanded where they are set', async () => {
    const auth = { kind: 'secret', secret: SECRET, issuer: 'https://id', audience: 'us' } as const;
    const demanding = createAuthenticate({ ...CONFIG, auth });
    const withThem = (more: object) => [
      `Bearer ${hs(claims({ iss: 'https://id', aud: 'us', ...more }))}`,
    ];
    assert.equal((await demanding(withThem({ aud: ['x', 'us'] }))).subject, 'ada');
    for (const more of [
      { iss: 'https://other' },
      { iss: undefined },
      { aud: 'x' },
      { aud: undefined },
    ])
      await assert.rejects(demanding(withThem(more)), AppError);
  });

  it('a secret under 32 bytes is refused at once', () => {
    assert.throws(() =>
      createAuthenticate({ ...CONFIG, auth: { kind: 'secret', secret: 'x'.repeat(31) } }),
    );
  });
});

describe('tokens with the keys of a key server', () => {
  const ISSUER = 'https://issuer.test';
  const AUDIENCE = 'holdpoint';
  let keys: JWK[] = [];
  let fetches = 0;
  let broken = false;
  const server = createServer((_req, res) => {
    fetches++;
    if (broken) return void res.writeHead(500).end();
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ keys }));
  });
  let uri = '';
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });
  after(() => void server.close());
  beforeEach(() => {
    keys = [];
    fetches = 0;
    broken = false;
  });

  type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
  async function addKey(alg: string, kid: string): Promise<Pair> {
    const pair = await generateKeyPair(alg, { extractable: true });
    keys.push({ ...(await exportJWK(pair.publicKey)), kid, use: 'sig', alg });
    return pair;
  }
  const signed = (
    pair: Pair,
    alg: string,
    kid: string | undefined,
    more: object = {},
  ): Promise<string> =>
    new SignJWT({ ...claims(), iss: ISSUER, aud: AUDIENCE, ...more })
      .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
      .sign(pair.privateKey);
  const fresh = (): ((token: string) => Promise<unknown>) => {
    const authenticate = createAuthenticate({
      ...CONFIG,
      auth: { kind: 'jwks', uri, issuer: ISSUER, audience: AUDIENCE },
    });
    return (token) => authenticate([`Bearer ${token}`]);
  };
  const isCode = (code: string) => (error: unknown) =>
    error instanceof AppError && error.code === code;

  it('RS256, PS256, ES256 and EdDSA are taken, without a key id too where one key fits', async () => {
    const take = fresh();
    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
      const pair = await addKey(alg, alg);
      if (alg === 'EdDSA') await take(await signed(pair, alg, undefined));
    }
    const second = await addKey('ES256', 'second');
    const again = fresh();
    await again(await signed(second, 'ES256', undefined));
    await again(await signed(second, 'ES256', 'second', { aud: ['x', AUDIENCE] }));
  });

  it('another issuer or audience, a secret made of the public key, RS512 and another’s signature are refused', async () => {
    const take = fresh();
    const pair = await addKey('RS256', 'k');
    await take(await signed(pair, 'RS256', 'k'));
    for (const more of [
      { iss: 'https://other' },
      { iss: undefined },
      { aud: 'other' },
      { aud: undefined },
      { aud: [] },
    ])
      await assert.rejects(take(await signed(pair, 'RS256', 'k', more)), isCode('UNAUTHENTICATED'));
    const pem = await exportSPKI(pair.publicKey);
    await assert.rejects(
      take(hs({ ...claims(), iss: ISSUER, aud: AUDIENCE }, { secret: pem, header: { kid: 'k' } })),
      isCode('UNAUTHENTICATED'),
    );
    const rs512 = await generateKeyPair('RS512', { extractable: true });
    await assert.rejects(take(await signed(rs512, 'RS512', 'k')), isCode('UNAUTHENTICATED'));
    await assert.rejects(
      take(await signed(await generateKeyPair('RS256'), 'RS256', 'k')),
      isCode('UNAUTHENTICATED'),
    );
  });

  it('a key server that is away makes a good token 503, never 401, and it is good again afterwards', async () => {
    const take = fresh();
    const token = await signed(await addKey('ES256', 'k'), 'ES256', 'k');
    broken = true;
    await assert.rejects(take(token), isCode('UNAVAILABLE'));
    await assert.rejects(take(token), isCode('UNAVAILABLE'));
    assert.equal(fetches, 1, 'a failure is remembered for a moment');
    broken = false;
    await new Promise((resolve) => setTimeout(resolve, 1050));
    await take(token);
  });

  it('a thousand unknown key ids cost one fetch more, are all refused, and lock nobody out', async () => {
    const take = fresh();
    const pair = await addKey('ES256', 'k');
    const junk = await generateKeyPair('ES256');
    await take(await signed(pair, 'ES256', 'k'));
    await Promise.all(
      Array.from({ length: 1000 }, async (_, i) =>
        assert.rejects(take(await signed(junk, 'ES256', `j${i}`)), isCode('UNAUTHENTICATED')),
      ),
    );
    await assert.rejects(
      take(await signed(junk, 'ES256', 'j', { iss: 'https://other' })),
      isCode('UNAUTHENTICATED'),
    );
    await take(await signed(pair, 'ES256', 'k'));
    assert.equal(fetches, 2);
  });

  it('a token of a new key is taken at first sight, also right after a fetch; while the key server is away it is 503, never 401', async () => {
    const first = await addKey('ES256', 'first');
    const before = fresh();
    await before(await signed(first, 'ES256', 'first'));
    const second = await addKey('RS256', 'second');
    await before(await signed(second, 'RS256', 'second'));
    const third = await signed(await addKey('ES256', 'third'), 'ES256', 'third');
    await assert.rejects(before(third), isCode('UNAUTHENTICATED'));
    const now = performance.now.bind(performance);
    performance.now = () => now() + 31_000;
    broken = true;
    try {
      await assert.rejects(before(third), isCode('UNAVAILABLE'));
    } finally {
      performance.now = now;
      broken = false;
    }
  });

  it('when the key server goes away the keys it gave last go on', async () => {
    const take = fresh();
    const pair = await addKey('ES256', 'k');
    await take(await signed(pair, 'ES256', 'k'));
    broken = true;
    const later = Date.now() + 11 * 60_000; // beyond the time jose keeps a set
    const now = Date.now;
    Date.now = () => later;
    try {
      const hour = { iat: Math.floor(later / 1000) - 1, exp: Math.floor(later / 1000) + 600 };
      await take(await signed(pair, 'ES256', 'k', hour));
      assert.equal(fetches, 2, 'it was asked again');
    } finally {
      Date.now = now;
      broken = false;
    }
  });
});
