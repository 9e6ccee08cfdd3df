import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createNotifyChannel, type NotifyChannel } from '../../src/store/events/notify-channel.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { until } from '../rig/wait.ts';

/** A way to the server that can be made to carry nothing any more, with its connections open. */
async function startWay(url: string) {
  const { hostname, port } = new URL(url);
  const open: Socket[][] = [];
  const server: Server = createServer((near) => {
    const far = connect(Number(port), hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => undefined);
    open.push([near, far]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    silence: () => {
      for (const sockets of open) for (const socket of sockets) socket.unpipe().pause();
    },
    close: () => {
      for (const sockets of open) for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('the channel between processes', () => {
  let postgres: PostgresRig;
  const channels: NotifyChannel[] = [];
  const ends: (() => void)[] = [];
  before(async function () {
    postgres = await postgresOrSkip(this);
  });
  after(async () => {
    for (const end of ends) end();
    await Promise.all(channels.map((channel) => channel.close()));
    await postgres?.stop();
  });

  async function open(url: string) {
    const [heard, connected]: [string[], number[]] = [[], []];
    const channel = createNotifyChannel(url, {
      onIds: (ids) => void heard.push(...ids),
      onConnected: () => void connected.push(performance.now()),
    });
    channels.push(channel);
    await until('it listens', () => connected.length > 0);
    return { channel, heard, connected };
  }

  it('carries ids to other processes, and not back to who sent them', async () => {
    const [a, b] = [await open(postgres.url), await open(postgres.url)];
    a.channel.send(['run_1', 'run_2']);
    await until('they are heard', () => b.heard.length === 2);
    assert.deepEqual([b.heard, a.heard], [['run_1', 'run_2'], []]);
  });

  it('leaves a server that has gone silent after five seconds, for a new connection', async () => {
    const way = await startWay(postgres.url);
    ends.push(way.close);
    const [a, b] = [await open(way.url), await open(postgres.url)];
    way.silence();
    const began = performance.now();
    a.channel.send(['lost']);
    await until('it is connected again', () => a.connected.length === 2, 15_000);
    assert.ok(performance.now() - began >= 5000);
    a.channel.send(['after it']);
    await until('it is heard', () => b.heard.includes('after it'));
  });
});
