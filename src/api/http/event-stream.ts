// A response as an event stream: frames, comments where there are none for a while, and an end to
// clients that do not read. Written here rather than taken from better-sse: what has to be known is
// how much is unsent, and that is not in its hands (docs/decisions.md).

import type { ServerResponse } from 'node:http';
import { createDeadline } from '../runs/wait.ts';

/** No compression, no buffering by proxies; Cache-Control: no-store has every answer. */
export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'X-Accel-Buffering': 'no',
} as const;

/** Contract: a comment every 15 s at most. */
const KEEP_ALIVE_MS = 12_000;
const KEEP_ALIVE = ':\n\n';

/**
 * More than this is not held for a client; one that has not taken it after 10 s is cut off, and may
 * resume.
 */
export const MAX_UNSENT_BYTES = 256 * 1024;
const TAKEN_WITHIN_MS = 10_000;
/** The last frame is the whole record, up to a megabyte or so of it. */
const LAST_TAKEN_WITHIN_MS = 30_000;
/** Many small frames make one write. */
const WRITE_CHARS = 32 * 1024;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const PACE = { keepAliveMs: KEEP_ALIVE_MS, takenWithinMs: TAKEN_WITHIN_MS };

/** What has an id, and a name that its `event:` line repeats. */
export interface SentFrame {
  readonly id: string;
  readonly frame: { readonly event: string };
}

export interface EventStream {
  /** Resolves when the client has taken enough for more. */
  readonly send: (frames: readonly SentFrame[]) => Promise<void>;
  /** Aborts when the stream must end, whatever is followed. */
  readonly over: AbortSignal;
  readonly close: () => void;
}

export interface Ends {
  /** The token's. */
  readonly at: Date;
  readonly signals: readonly AbortSignal[];
}

export function openEventStream(
  response: ServerResponse,
  ends: Ends,
  pace: Partial<typeof PACE> = {},
): EventStream {
  const { keepAliveMs, takenWithinMs } = { ...PACE, ...pace };
  const deadline = createDeadline(
    Math.min(ends.at.getTime() - Date.now(), LONGEST_TIMER_MS),
    ends.signals,
  );
  response.on('error', () => undefined); // the client went while it was written to
  response.socket?.setNoDelay(true);
  response.flushHeaders();
  // To a client that does not read, a comment is only more of what it does not read.
  const comments = setInterval(
    () => response.writableLength === 0 && !response.destroyed && response.write(KEEP_ALIVE),
    keepAliveMs,
  );

  async function write(text: string): Promise<void> {
    if (text === '' || response.destroyed) return;
    comments.refresh();
    response.write(text);
    if (response.writableLength > MAX_UNSENT_BYTES) await taken();
  }

  function taken(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        for (const event of ['drain', 'close']) response.removeListener(event, go);
        deadline.signal.removeEventListener('abort', go);
        resolve();
      };
      const timer = setTimeout(() => response.destroy(), takenWithinMs);
      for (const event of ['drain', 'close']) response.once(event, go);
      deadline.signal.addEventListener('abort', go);
      if (deadline.signal.aborted) go();
    });
  }

  return {
    over: deadline.signal,
    send: async (frames) => {
      let text = '';
      for (const frame of frames) {
        if (response.destroyed) return;
        text += written(frame);
        if (text.length < WRITE_CHARS) continue;
        await write(text);
        text = '';
      }
      await write(text);
    },
    close: () => {
      clearInterval(comments);
      deadline.close();
      if (response.destroyed) return;
      const giveUp = setTimeout(() => response.destroy(), LAST_TAKEN_WITHIN_MS).unref();
      response.once('close', () => clearTimeout(giveUp));
      response.end();
    },
  };
}

const written = ({ id, frame }: SentFrame): string =>
  `id: ${id}\nevent: ${frame.event}\ndata: ${JSON.stringify(frame)}\n\n`;
