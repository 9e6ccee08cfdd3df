// What runs in the network of rebinding.test.ts: a name server, a web server on every address there
// is, the product's public reads, and the product. Never imported for more than its types.

import { writeFileSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { createServer, get } from 'node:http';
import { join } from 'node:path';
import { readPublic } from '../../src/egress/fetch-public.ts';
import { publicAddresses } from '../../src/egress/public-address.ts';
import type { RunResponse } from '../../src/contract/run.ts';
import { startNameServer } from '../rig/name-server.ts';
import { serveCommands, settle } from '../rig/private-network.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import type { ModelRequestBody } from '../rig/scripted-model.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { followPlan, openStage, tokenOf, type Stage } from './stage.ts';

const PUBLIC = '93.184.216.34';
const PUBLIC_V6 = '2606:2800:220:1::34';
const INSIDE = ['10.0.0.7', '169.254.169.254', '192.168.7.7', 'fd00::7'];
const NAME_SERVER = '127.0.0.53';
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

interface Hit {
  /** The address of ours that was connected to. */
  readonly address: string;
  readonly path: string;
}

settle(
  [
    `${PUBLIC}/32`,
    `${PUBLIC_V6}/128`,
    ...INSIDE.map((address) => `${address}/${address.includes(':') ? 128 : 32}`),
  ],
  NAME_SERVER,
);
const nameServer = await startNameServer(NAME_SERVER);

const hits: Hit[] = [];
// The same at every address: whoever gets inside gets what he asked for.
const web = createServer((req, res) => {
  const [path = '', target = ''] = (req.url ?? '').split('?');
  hits.push({ address: (req.socket.localAddress ?? '').replace('::ffff:', ''), path });
  if (path === '/to')
    return void res.writeHead(302, { location: decodeURIComponent(target) }).end();
  if (path === '/picture.png') return void res.setHeader('content-type', 'image/png').end(PICTURE);
  res.setHeader('content-type', 'text/plain').end(`read at ${hits.at(-1)?.address}`);
});
await new Promise<void>((done, fail) => web.once('error', fail).listen(80, '::', done));

let stage: Stage | undefined;
let product: ProductProcess | undefined;
let token = '';

/** The plan is the text beside the pictures. */
function planOf(body: ModelRequestBody): ModelRequestBody {
  const textOf = (content: unknown): unknown =>
    Array.isArray(content)
      ? content.find((part: { type?: string; text?: string }) => part.type === 'text')?.text
      : content;
  return {
    ...body,
    messages: body.messages.map((message) => ({ ...message, content: textOf(message.content) })),
  };
}

const commands = {
  names: nameServer.names,
  lookups: nameServer.lookups,
  /** Since it was last asked. */
  hits: (): readonly Hit[] => hits.splice(0),
  read: async (url: string): Promise<{ kind: string; why?: string; text?: string }> => {
    const addresses = publicAddresses([]);
    const signal = new AbortController().signal;
    const got = await readPublic({
      url,
      addresses,
      timeoutMs: 5000,
      signal,
      maxBytes: 1000,
      accept: '*/*',
    });
    return got.kind === 'ANSWER' ? { kind: got.kind, text: got.bytes.toString() } : got;
  },
  /**
   * As it is often done, and wrong: the name is judged by one lookup and connected to by another.
   */
  readCarelessly: async (url: string): Promise<string> => {
    const { hostname } = new URL(url);
    const { allows } = publicAddresses([]);
    for (const { address } of await lookup(hostname, { all: true }))
      if (!allows(hostname, 80, address)) return 'refused';
    return new Promise((resolve, reject) => {
      get(url, { agent: false }, (res) => res.setEncoding('utf8').once('data', resolve)).once(
        'error',
        reject,
      );
    });
  },
  startProduct: async (temporalCli: string): Promise<void> => {
    stage = await openStage((body) => followPlan(planOf(body)));
    const file =
      'id: reader\nname: reader\ndescription: Reads.\nmodel: scripted\nvision: true\ninstructions: Follow the plan.\n';
    writeFileSync(join(stage.agentsDir, 'reader.yaml'), `${file}tools: [read_page]\n`);
    product = await startProduct({
      role: 'start',
      env: { ...stage.env, DATA_DIR: tempDir(), TEMPORAL_CLI: temporalCli },
    });
    token = await tokenOf('ada');
  },
  run: async (message: string, pictures: readonly string[]): Promise<RunResponse> => {
    const media = pictures.map((data) => ({ type: 'image/png', data }));
    const response = await fetch(`${product?.url}/api/agents/reader/runs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ message, ...(media.length > 0 ? { media } : {}) }),
    });
    return (await response.json()) as RunResponse;
  },
};
export type Commands = typeof commands;

serveCommands(commands, async () => {
  await product?.stop();
  await stage?.close();
});
