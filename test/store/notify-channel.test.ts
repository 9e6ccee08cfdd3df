import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createNotifyChannel, type NotifyChannel } from '../../src/store/events/notify-channel.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { until } from '../rig/wait.ts';

/** A way to the server that can be made to carry nothing any more, or no answers for a while. */
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
    /** Returns what lets all answers through at once, those that came meanwhile in one piece. */
    holdAnswers: () => {
      const releases = open.map(([near, far]) => {
        const held: Buffer[] = [];
        const hold = (bytes: Buffer): unknown => held.push(bytes);
        far?.unpipe(near).on('data', hold).resume();
        return () => {
          near?.write(Buffer.concat(held));
          if (near !== undefined) far?.off('data', hold).pipe(near);
        };
      });
      return () => {
        for (const release of releases) release();
      };
    },
    close: () => {
      for (const sockets of open) for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** The listening connection where its last statement was the count, and it is over. */
const COUNTS = `select 1 from pg_stat_activity where datname = current_database()
  and application_name = 'holdpoint announcer' and state = 'idle' and query like '%as listeners%'`;

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
    const [heard, gaps]: [string[], number[]] = [[], []];
    const channel = createNotifyChannel(url, {
      onIds: (ids) => void heard.push(...ids),
      onGap: () => void gaps.push(performance.now()),
    });
    channels.push(channel);
    await until('it listens', () => gaps.length > 0);
    return { channel, heard, gaps };
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
    const gaps = a.gaps.length;
    a.channel.send(['lost']);
    await until('it is connected again', () => a.gaps.length > gaps, 15_000);
    assert.ok(performance.now() - began >= 5000);
    a.channel.send(['after it']);
    await until('it is heard', () => b.heard.includes('after it'));
  });

  const writes = async (url: string): Promise<number> =>
    Number(
      (await postgres.sql('select txid_snapshot_xmax(txid_current_snapshot()) as n', url))[0]?.[
        'n'
      ],
    );

  /** A channel that has found out that it is the only one of its database. */
  async function openAlone(url: string) {
    const opened = await open(url);
    const before = await writes(url);
    opened.channel.send(['run_1']);
    await until('it has counted', async () => (await postgres.sql(COUNTS, url)).length === 1);
    return { ...opened, before };
  }

  it('writes nothing while its process is the only one', async () => {
    const url = await postgres.createDatabase();
    const { channel, before } = await openAlone(url);
    for (let n = 0; n < 5; n++) channel.send([`run_${n}`]);
    await until('it is idle', async () => (await postgres.sql(COUNTS, url)).length === 1);
    assert.equal(await writes(url), before);
  });

  it('sends to a process that comes up later, which is told to look for what was kept back', async () => {
    const url = await postgres.createDatabase();
    const a = await openAlone(url);
    const b = await open(url);
    await until('a has answered', () => b.gaps.length === 2);
    a.channel.send(['to b']);
    b.channel.send(['to a']);
    await until('both are heard', () => a.heard.length + b.heard.length === 2);
    assert.deepEqual([a.heard, b.heard], [['to a'], ['to b']]);
  });

  it('sends again to one whose connection was lost, which is told the same', async () => {
    const url = await postgres.createDatabase();
    const [a, b] = [await open(url), await open(url)];
    const [lost] = await postgres.sql(
      `select pid, pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'holdpoint announcer'
        order by backend_start limit 1`,
      url,
    );
    assert.ok(lost);
    const gaps = a.gaps.length;
    // It finds itself alone, until the other one is back.
    b.channel.send(['kept back']);
    await until('a is back, and b has answered', () => a.gaps.length === gaps + 2);
    b.channel.send(['to a']);
    await until('it is heard', () => a.heard.length === 1);
    assert.deepEqual(a.heard, ['to a']);
    a.channel.send(['to b']);
    await until('it is heard', () => b.heard.includes('to b'));
  });

  it('does not rely on a count that was overtaken by a process that came up', async () => {
    const url = await postgres.createDatabase();
    const way = await startWay(url);
    ends.push(way.close);
    const a = await open(way.url);
    const release = way.holdAnswers();
    a.channel.send(['run_1']);
    await until('it has counted', async () => (await postgres.sql(COUNTS, url)).length === 1);
    const b = await open(url);
    const gaps = a.gaps.length;
    release();
    await until('it knows of the other', () => a.gaps.length > gaps);
    a.channel.send(['to b']);
    await until('it is heard', () => b.heard.includes('to b'));
  });

  it('counts processes of another role, and under another name in their address', async () => {
    const url = await postgres.createDatabase();
    const roles = ['one', 'other'].map((name) => `listener_${name}_${process.pid}`);
    for (const role of roles) await postgres.sql(`create role ${role} login`);
    const [one = '', other = ''] = roles.map((role) => {
      const address = new URL(url);
      address.username = role;
      address.searchParams.set('application_name', role);
      return address.href;
    });
    const [a, b] = [await open(one), await open(other)];
    a.channel.send(['to b']);
    await until('it is heard', () => b.heard.length === 1);
    b.channel.send(['to a']);
    await until('it is heard', () => a.heard.length === 1);
  });
});
