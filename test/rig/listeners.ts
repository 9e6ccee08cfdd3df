// What a process and its children really listen on, by what the kernel says (/proc): addresses of
// TCP, sockets of UDP, and sockets in the file system. Linux only.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { skipBecause } from './skip.ts';

export interface Listener {
  readonly pid: number;
  readonly protocol: 'tcp' | 'udp' | 'unix';
  /** Of `unix`: the path. */
  readonly host: string;
  readonly port: number;
}

const LISTEN = '0A';

/** Skips the test, and says so, where the kernel cannot be asked. */
export function needsProc(test: Mocha.Context): void {
  if (process.platform !== 'linux') skipBecause(test, 'listeners are looked up in /proc');
}

export function processTree(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = attempt(() => readFileSync(`/proc/${name}/stat`, 'utf8'));
    const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    parents.set(Number(name), parent);
  }
  const tree = [root];
  for (const pid of tree)
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}

export function listenersOf(pids: readonly number[]): readonly Listener[] {
  return pids.flatMap((pid) => {
    const inodes = socketsOf(pid);
    return [
      ...ipSockets(pid, 'tcp', inodes),
      ...ipSockets(pid, 'udp', inodes),
      ...unixSockets(pid, inodes),
    ];
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function socketsOf(pid: number): ReadonlySet<string> {
  const open = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  const links = open.map((fd) => attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '');
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

const lines = (pid: number, file: string): readonly string[] =>
  (attempt(() => readFileSync(`/proc/${pid}/net/${file}`, 'utf8')) ?? '').split('\n').slice(1);

function ipSockets(
  pid: number,
  protocol: 'tcp' | 'udp',
  inodes: ReadonlySet<string>,
): readonly Listener[] {
  return [protocol, `${protocol}6`].flatMap((file) =>
    lines(pid, file).flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (!inodes.has(inode) || (protocol === 'tcp' && state !== LISTEN)) return [];
      const [host = '', port = ''] = local.split(':');
      return [{ pid, protocol, host: addressOf(host), port: Number.parseInt(port, 16) }];
    }),
  );
}

/** The kernel writes addresses as words of four bytes, least significant first. */
function addressOf(hex: string): string {
  const bytes = [...Buffer.from(hex, 'hex')];
  const words = bytes.flatMap((_, i) => (i % 4 === 0 ? bytes.slice(i, i + 4).reverse() : []));
  if (words.length === 4) return words.join('.');
  const text = Buffer.from(words).toString('hex');
  return (text.match(/.{4}/g) ?? []).join(':');
}

function unixSockets(pid: number, inodes: ReadonlySet<string>): readonly Listener[] {
  return lines(pid, 'unix').flatMap((line) => {
    const [, , , flags, , , inode = '', path] = line.trim().split(/\s+/);
    const accepting = (Number.parseInt(flags ?? '0', 16) & 0x10000) !== 0;
    return accepting && inodes.has(inode)
      ? [{ pid, protocol: 'unix' as const, host: path ?? '(unnamed)', port: 0 }]
      : [];
  });
}
