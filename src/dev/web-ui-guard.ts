// A guard before Temporal's Web UI on the loopback. The UI answers whatever name it is asked
// under, so a page whose own name was pointed at 127.0.0.1 could read every run there; and it has
// no login. Here a request must name the loopback as its host, and must not come from a page of
// another origin, but for following a link. Passes everything else on as it came.

import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';

export interface WebUiGuard {
  readonly close: () => Promise<void>;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]'];
/** Headers that concern one connection alone. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade'];

export async function startWebUiGuard(port: number, ui: Place): Promise<WebUiGuard> {
  const server = createServer((req, res) => {
    const problem = requestProblem(req, port);
    if (problem === undefined) pass(req, res, ui);
    else res.writeHead(403, { 'Content-Type': 'text/plain' }).end(`${problem}\n`);
  });
  // It is no proxy for anything but plain requests.
  server.on('upgrade', (_req, socket) => socket.destroy());
  server.on('connect', (_req, socket) => socket.destroy());
  await listening(server, port);
  return {
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', fail).on('error', () => undefined);
      done();
    });
  });
}

/** Why a request is not passed on; undefined: it is. */
export function requestProblem(
  { headers, method }: Pick<IncomingMessage, 'headers' | 'method'>,
  port: number,
): string | undefined {
  const hosts = LOOPBACK_NAMES.map((name) => `${name}:${port}`);
  if (!hosts.includes((headers.host ?? '').toLowerCase()))
    return 'This is served for the loopback address alone.';
  const { origin } = headers;
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`))
    return 'This is not served to pages of other origins.';
  const site = headers['sec-fetch-site'];
  const followsLink =
    method === 'GET' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document';
  if (site === undefined || site === 'same-origin' || site === 'none' || followsLink)
    return undefined;
  return 'This is not served to pages of other origins.';
}

function pass(req: IncomingMessage, res: ServerResponse, ui: Place): void {
  const headers = Object.fromEntries(
    Object.entries(req.headers).filter(([name]) => !HOP_BY_HOP.includes(name)),
  );
  const onward = request({
    host: ui.host,
    port: ui.port,
    method: req.method,
    path: req.url,
    headers,
    // One connection a request: the UI's server is next door.
    agent: false,
  });
  onward.once('response', (answer) => {
    const back = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.includes(name));
    // In a frame of another site's page its buttons could be pressed unawares (clickjacking).
    res.writeHead(answer.statusCode ?? 502, {
      ...Object.fromEntries(back),
      'X-Frame-Options': 'SAMEORIGIN',
    });
    answer.once('error', () => res.destroy());
    answer.pipe(res);
  });
  onward.once('error', () => {
    if (res.headersSent) return void res.destroy();
    res.writeHead(502, { 'Content-Type': 'text/plain' }).end("Temporal's Web UI is not there.\n");
  });
  res.once('close', () => onward.destroy());
  req.pipe(onward);
}
