// A reader of event streams over HTTP, and a model that speaks into the store as the activity does
// it.

import { randomUUID } from 'node:crypto';
import { get, request, type IncomingHttpHeaders } from 'node:http';
import { createDeltaPublisher, type DeltaPublisher } from '../../src/activities/delta-publisher.ts';
import type { Frame } from '../../src/contract/frame.ts';
import type { Store } from '../../src/store/database/access.ts';
import { tellsNothing } from '../rig/tells-nothing.ts';
import { appendDeltas, repeatReply } from '../../src/store/events/deltas.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { endAttempt } from '../../src/store/turns/attempts.ts';
import { recordReply, type StoredReply } from '../../src/store/turns/replies.ts';

export interface ReceivedFrame {
  readonly id: string;
  readonly event: string;
  readonly data: Frame;
}

export interface OpenStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly frames: readonly ReceivedFrame[];
  readonly text: () => string;
  /** The first frame of that name, when it has come. */
  readonly first: (event: string) => Promise<ReceivedFrame>;
  readonly until: (holds: () => boolean) => Promise<void>;
  readonly ended: Promise<void>;
  readonly close: () => void;
}

export interface StreamOptions {
  readonly token: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

export function openStream(
  url: string,
  { token, headers = {}, body }: StreamOptions,
): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const all = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    const req = (body === undefined ? get : request)(url, {
      headers: all,
      agent: false,
      method: body === undefined ? 'GET' : 'POST',
    });
    if (body !== undefined) req.end(JSON.stringify(body));
    req.on('error', reject);
    req.on('response', (res) => {
      const frames: ReceivedFrame[] = [];
      const waiting = new Set<() => void>();
      let text = '';
      let parsed = 0;
      let over = false;
      const poke = (): void => [...waiting].forEach((look) => look());
      res.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        for (let end = text.indexOf('\n\n', parsed); end >= 0; end = text.indexOf('\n\n', parsed)) {
          const block = text.slice(parsed, end);
          parsed = end + 2;
          const field = (name: string): string =>
            new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
          if (block.startsWith('id: '))
            frames.push({
              id: field('id'),
              event: field('event'),
              data: JSON.parse(field('data')) as Frame,
            });
        }
        poke();
      });
      const { statusCode: status = 0 } = res;
      const ended = new Promise<void>((done, fail) =>
        res.on('close', () => {
          over = true;
          poke();
          // A refusal comes instead of a stream.
          try {
            if (res.complete)
              tellsNothing({
                method: req.method,
                status,
                headers: res.headers,
                text: status < 300 ? '' : text,
              });
            done();
          } catch (error) {
            fail(error as Error);
          }
        }),
      );
      res.on('error', () => undefined);
      const until = (holds: () => boolean): Promise<void> =>
        new Promise((done, fail) => {
          const timer = setTimeout(
            () => fail(new Error(`not in time; so far ${frames.map((f) => f.event).join(' ')}`)),
            20_000,
          );
          const look = (): void => {
            if (!holds() && !over) return;
            clearTimeout(timer);
            waiting.delete(look);
            if (holds()) done();
            else fail(new Error(`the stream ended after ${frames.map((f) => f.event).join(' ')}`));
          };
          waiting.add(look);
          look();
        });
      const named = (event: string): ReceivedFrame | undefined =>
        frames.find((frame) => frame.event === event);
      resolve({
        status,
        headers: res.headers,
        frames,
        text: () => text,
        until,
        first: async (event) => {
          await until(() => named(event) !== undefined);
          return named(event) as ReceivedFrame;
        },
        ended,
        close: () => req.destroy(),
      });
    });
  });
}

export interface Speaker {
  readonly publish: DeltaPublisher['publish'];
  /** What was said counts as the reply. */
  readonly reply: (text: string, more?: Partial<StoredReply>) => Promise<void>;
  /** The provider failed. */
  readonly fail: () => Promise<void>;
  /** The process is gone: nothing more is stored. */
  readonly die: () => void;
}

/** An attempt at a turn. */
export async function speaker(store: Store, runId: string, turn: number): Promise<Speaker> {
  const attemptId = randomUUID();
  const begun = await store.asWorker((tx) => beginTurn(tx, runId, turn, attemptId));
  if (begun.kind !== 'WORK') throw new Error(`the turn is ${begun.kind}`);
  const { run, attempts, attemptSeq: seq } = begun.work;
  const publisher = createDeltaPublisher(store, {
    runId,
    orgId: run.orgId,
    turn,
    seq,
    first: attempts === 0,
  });
  return {
    publish: publisher.publish,
    reply: async (text, more = {}) => {
      const said = await publisher.rest();
      const reply: StoredReply = {
        kind: 'ANSWER',
        text,
        reasoning: '',
        model: 'm',
        finishReason: 'stop',
        calls: [],
        ...more,
      };
      await store.asWorker(async (tx) => {
        await recordReply(tx, runId, turn, attemptId, reply, {
          promptTokens: 1,
          completionTokens: 1,
          estimated: false,
        });
        appendDeltas(tx, runId, run.orgId, said);
        await repeatReply(tx, runId, turn, seq);
      });
      publisher.close();
    },
    fail: async () => {
      const said = await publisher.rest();
      await store.asWorker(async (tx) => {
        appendDeltas(tx, runId, run.orgId, said);
        endAttempt(tx, runId, attemptId, { model: 'm', fault: 'UNAVAILABLE' });
      });
      publisher.close();
    },
    die: publisher.close,
  };
}

/** What a client shows of a turn: the deltas, less those that a RETRY takes back. */
export function shown(frames: readonly ReceivedFrame[], turn: number): string {
  let kept: ReceivedFrame[] = [];
  for (const frame of frames) {
    if (frame.data.event === 'RETRY') {
      const keep = frame.data.data.keepThrough;
      const at = frames.findIndex((f) => f.id === keep);
      kept = kept.filter((f) => frames.indexOf(f) <= at);
    }
    kept.push(frame);
  }
  return kept
    .map(({ data }) => (data.event === 'CONTENT_DELTA' && data.turn === turn ? data.data : ''))
    .join('');
}
