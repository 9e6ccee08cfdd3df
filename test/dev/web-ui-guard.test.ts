import assert from 'node:assert/strict';
import { request } from 'node:http';
import { startWebUiGuard, type WebUiGuard } from '../../src/dev/web-ui-guard.ts';
import { freePort } from '../rig/free-port.ts';
import { bodyOf, serve, type LoopbackServer } from '../rig/http-server.ts';

describe('the guard of the Web UI', () => {
  let ui: LoopbackServer;
  let guard: WebUiGuard;
  let port = 0;
  const asked: string[] = [];

  before(async () => {
    ui = await serve(async (req, res) => {
      asked.push(`${req.method} ${req.url} ${await bodyOf(req)}`);
      res.writeHead(201, { 'X-Of-The-Ui': 'yes' }).end('the runs');
    });
    port = await freePort();
    guard = await startWebUiGuard(port, { host: '127.0.0.1', port: ui.port });
  });
  after(async () => {
    await guard.close();
    await ui.close();
  });
  beforeEach(() => asked.splice(0));

  const ask = (
    headers: Readonly<Record<string, string>>,
    method = 'GET',
    body = '',
  ): Promise<{ status: number; text: string; headers: Readonly<Record<string, unknown>> }> =>
    new Promise((done, fail) => {
      const sent = request(
        { host: '127.0.0.1', port, path: '/x?y', method, headers },
        (answer) =>
          void bodyOf(answer).then((text) =>
            done({ status: answer.statusCode ?? 0, text, headers: answer.headers }),
          ),
      );
      sent.once('error', fail).end(body);
    });

  it('passes on what asks for the loopback itself, as it came, and lets nobody frame it', async () => {
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST']) {
      const answer = await ask({ host: `${name}:${port}` }, 'POST', 'words');
      assert.deepEqual([answer.status, answer.text], [201, 'the runs']);
      assert.equal(answer.headers['x-of-the-ui'], 'yes');
      assert.equal(answer.headers['x-frame-options'], 'SAMEORIGIN');
    }
    assert.deepEqual(asked, Array(3).fill('POST /x?y words'));
  });

  it('refuses every other name, also one that only looks like the loopback, and another port', async () => {
    for (const host of [
      'rebound.test',
      `rebound.test:${port}`,
      `127.0.0.1.nip.test:${port}`,
      `localhost.:${port}`,
      `0.0.0.0:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `127.0.0.1:${port}@rebound.test`,
    ])
      assert.equal((await ask({ host })).status, 403, host);
    assert.deepEqual(asked, []);
  });

  it('refuses pages of other origins, blind requests, frames and pictures included; a link is followed', async () => {
    const host = `127.0.0.1:${port}`;
    for (const headers of [
      { origin: 'http://elsewhere.test' },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${port + 1}` },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    ])
      for (const method of ['GET', 'POST'])
        assert.equal(
          (await ask({ host, ...headers }, method)).status,
          403,
          JSON.stringify(headers),
        );
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    assert.equal((await ask({ host, ...link }, 'POST')).status, 403);
    assert.deepEqual(asked, []);
    assert.equal((await ask({ host, ...link })).status, 201);
    assert.equal((await ask({ host, origin: `http://${host}` }, 'POST')).status, 201);
  });

  it('says so when the Web UI is not there, and takes no upgrades', async () => {
    const alone = await freePort();
    const orphan = await startWebUiGuard(alone, { host: '127.0.0.1', port: await freePort() });
    const answer = await fetch(`http://127.0.0.1:${alone}/`);
    assert.equal(answer.status, 502);
    await orphan.close();
    const host = `127.0.0.1:${port}`;
    await assert.rejects(ask({ host, connection: 'upgrade', upgrade: 'websocket' }));
  });
});
