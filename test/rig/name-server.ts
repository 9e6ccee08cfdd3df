// A DNS server over UDP that answers a name as the test says, and differently each time it is
// asked. Time to live: always 0.

import { createSocket } from 'node:dgram';
import ipaddr from 'ipaddr.js';

/**
 * Addresses of both families; a name among them is the alias that the addresses after it belong to.
 */
export type Answer = readonly string[];

export interface NameServer {
  /** The n-th lookup of the name gets the n-th answer, every further one the last. */
  readonly names: (name: string, answers: readonly Answer[]) => void;
  /** How often the name's addresses were looked up since it was named. */
  readonly lookups: (name: string) => number;
}

interface Named {
  readonly answers: readonly Answer[];
  /** By the type of record: a lookup asks for both at once. */
  readonly asked: Record<number, number>;
}

const A = 1;
const CNAME = 5;
const AAAA = 28;
/** A response, authoritative, recursion wanted and available. */
const FLAGS = 0x8580;
const NO_SUCH_NAME = 3;

export async function startNameServer(address: string): Promise<NameServer> {
  const known = new Map<string, Named>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) =>
    socket.send(answerTo(query, known), from.port, from.address),
  );
  await new Promise<void>((done, fail) => socket.once('error', fail).bind(53, address, done));
  return {
    names: (name, answers) => void known.set(name, { answers, asked: {} }),
    lookups: (name) => Math.max(0, ...Object.values(known.get(name)?.asked ?? {})),
  };
}

function answerTo(query: Buffer, known: ReadonlyMap<string, Named>): Buffer {
  const { name, end } = questionIn(query);
  const type = query.readUInt16BE(end);
  const found = known.get(name);
  const records = found === undefined ? [] : recordsOf(type, found);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.readUInt16BE(0), 0);
  head.writeUInt16BE(FLAGS | (found === undefined ? NO_SUCH_NAME : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, query.subarray(12, end + 4), ...records]);
}

function questionIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function recordsOf(type: number, { answers, asked }: Named): readonly Buffer[] {
  const nth = (asked[type] = (asked[type] ?? 0) + 1);
  let owner = Buffer.from([0xc0, 12]); // the name in the question
  return (answers[Math.min(nth, answers.length) - 1] ?? []).flatMap((item) => {
    if (!ipaddr.isValid(item)) {
      const alias = nameBytes(item);
      const link = record(owner, CNAME, alias);
      owner = alias;
      return [link];
    }
    const address = ipaddr.parse(item);
    return (address.kind() === 'ipv4' ? A : AAAA) === type
      ? [record(owner, type, Buffer.from(address.toByteArray()))]
      : [];
  });
}

function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const middle = Buffer.alloc(10);
  middle.writeUInt16BE(type, 0);
  middle.writeUInt16BE(1, 2);
  middle.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, middle, data]);
}

const nameBytes = (name: string): Buffer<ArrayBuffer> =>
  Buffer.concat([
    ...name
      .split('.')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
