// A whole reply over https, through a proxy: the settings as a process reads them, a tunnel, TLS
// for a name that only the proxy can find, and a stream inside it.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { skipBecause } from '../rig/skip.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { answer } from './scripted-provider.ts';

/** No name server knows it. */
const HOST = 'model.example';

/** In a process whose environment alone says how the model is reached, and whom it trusts. */
const CALL = `
  const { configFromEnvironment } = await import('./src/config.ts');
  const { modelOf } = await import('./src/main/model-of.ts');
  const read = configFromEnvironment('start');
  if (!read.ok) throw new Error(read.problems.join(' '));
  const deltas = [];
  const said = await modelOf(read.config).stream(
    { model: 'm', messages: [{ role: 'user', text: 'Hello' }], tools: [] },
    { signal: new AbortController().signal, onDelta: ({ text }) => deltas.push(text) },
  ).then(({ text }) => ({ text, deltas }), ({ fault, message }) => ({ fault, message }));
  console.log(JSON.stringify(said));
  process.exit(0);`;

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return (server.address() as AddressInfo).port;
};

/** A certificate of its own authority. */
function certificate(): { readonly cert: string; readonly key: string } | undefined {
  const folder = tempDir();
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const name = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`, '-days', '2'];
  const args = ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', cert];
  return spawnSync('openssl', args).status === 0 ? { cert, key } : undefined;
}

describe('models: https through a proxy', () => {
  it('carries a whole reply, for a certificate that is trusted alone', async function () {
    // Two processes that load all of the worker, beside whatever else the machine does.
    this.timeout(180_000);
    const made = certificate();
    if (made === undefined) skipBecause(this, 'openssl is missing: there is no certificate');
    const asked: string[] = [];
    const server = createTlsServer(
      { cert: readFileSync(made.cert), key: readFileSync(made.key) },
      (req, res) => {
        asked.push(`${req.method} ${req.headers.host}${req.url} ${req.headers.authorization}`);
        req
          .resume()
          .on('end', () => void answer([{ content: 'Good ' }, { content: 'day.' }])(res, req));
      },
    );
    const port = await listening(server);
    const proxy = createServer();
    proxy.on('connect', ({ url }, socket) => {
      asked.push(`CONNECT ${url}`);
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [onward, socket])
        end.on('error', () => (onward.destroy(), socket.destroy()));
    });
    const proxyPort = await listening(proxy);
    const said = async (trusted: NodeJS.ProcessEnv): Promise<unknown> => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', CALL],
        {
          cwd: fileURLToPath(new URL('../..', import.meta.url)),
          env: {
            PATH: process.env['PATH'],
            OPENAI_BASE_URL: `https://${HOST}/v1`,
            OPENAI_API_KEY: 'sk-secret',
            HTTPS_PROXY: `http://127.0.0.1:${proxyPort}`,
            ...trusted,
          },
        },
      );
      return JSON.parse(stdout);
    };
    try {
      assert.deepEqual(await said({ NODE_EXTRA_CA_CERTS: made.cert }), {
        text: 'Good day.',
        deltas: ['Good ', 'day.'],
      });
      assert.deepEqual(asked, [
        `CONNECT ${HOST}:443`,
        `POST ${HOST}/v1/chat/completions Bearer sk-secret`,
      ]);
      assert.deepEqual(await said({}), {
        fault: 'UNAVAILABLE',
        message:
          'The connection to the model failed or its answer could not be read (DEPTH_ZERO_SELF_SIGNED_CERT).',
      });
      assert.equal(asked.length, 3, 'the request itself was not sent');
    } finally {
      proxy.closeAllConnections();
      proxy.close();
      server.closeAllConnections();
      server.close();
    }
  });
});
