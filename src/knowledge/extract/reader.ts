// Reads documents in a child process with a limit of memory and of time, so that none of them takes
// the worker down. One child, one document at a time: reading is work for the processor, and runs
// go first (the child is of lower priority). A child that was ended is replaced; only the document
// that it was ended for fails.

import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ChildAnswer } from './child.ts';
import type { Extracted, ToExtract } from './extract.ts';
import { DocumentError } from './problem.ts';

export interface DocumentReader {
  /** Throws DocumentError, or the signal's reason. */
  readonly read: (document: ToExtract, signal: AbortSignal) => Promise<Extracted>;
  readonly stop: () => Promise<void>;
}

export interface ReaderLimits {
  readonly timeMs: number;
  readonly memoryBytes: number;
}

const LIMITS: ReaderLimits = {
  // A PDF of a thousand pages takes half of it.
  timeMs: 120_000,
  // A document of 20 MiB takes a third of it.
  memoryBytes: 1.2 * 2 ** 30,
};
/** Above it a child is not used again: its memory is what the last document left. */
const KEEP_BELOW_BYTES = 400 * 2 ** 20;
/** A child takes a second to start, and 80 MB while it waits. */
const IDLE_MS = 20_000;

export function createDocumentReader(limits: ReaderLimits = LIMITS): DocumentReader {
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let stopped = false;

  const end = (one: ChildProcess | undefined): void => {
    if (child === one) child = undefined;
    one?.kill('SIGKILL');
  };
  const readNow = async (document: ToExtract, signal: AbortSignal): Promise<Extracted> => {
    signal.throwIfAborted();
    if (stopped) throw new Error('the reader is stopped');
    clearTimeout(idle);
    const reading = (child ??= start(limits.memoryBytes));
    try {
      const answer = await ask(reading, document, limits, signal);
      if (answer.rssBytes > KEEP_BELOW_BYTES) end(reading);
      if (answer.ok) return answer.extracted;
      throw new DocumentError(answer.failure.code, answer.failure.message);
    } catch (error) {
      if (!reading.connected || signal.aborted || isTooComplex(error)) end(reading);
      // Ended by us: it says nothing of the document.
      throw stopped ? new Error('the reader was stopped', { cause: error }) : error;
    } finally {
      idle = setTimeout(() => end(child), IDLE_MS);
      idle.unref();
    }
  };
  return {
    read: (document, signal) => {
      const mine = turn.then(() => readNow(document, signal));
      turn = mine.catch(() => undefined);
      return mine;
    },
    stop: async () => {
      stopped = true;
      clearTimeout(idle);
      end(child);
      await turn;
      end(child);
    },
  };
}

const isTooComplex = (error: unknown): boolean =>
  error instanceof DocumentError && error.failure.code === 'TOO_COMPLEX';

/** Of a checkout that is run as it stands, whose parent may have been given it by other means. */
const tsx = (): string => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

function start(memoryBytes: number): ChildProcess {
  const extension = extname(import.meta.url);
  const child = fork(
    fileURLToPath(new URL(`./child${extension}`, import.meta.url)),
    [String(memoryBytes)],
    {
      env: {},
      execArgv: [
        `--max-old-space-size=${Math.round(memoryBytes / 2 ** 20)}`,
        ...(extension === '.ts' ? ['--import', tsx()] : []),
      ],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  );
  // Its end is heard where its answer is waited for.
  child.on('error', () => undefined);
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not allowed here: it goes on as it is.
  }
  child.unref();
  child.channel?.unref();
  return child;
}

function ask(
  child: ChildProcess,
  document: ToExtract,
  { timeMs }: ReaderLimits,
  signal: AbortSignal,
): Promise<ChildAnswer> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.channel?.unref();
    };
    const tooMuch = (what: string): DocumentError =>
      new DocumentError('TOO_COMPLEX', `Reading the document took more ${what} than it may take.`);
    const onMessage = (answer: ChildAnswer): void => {
      done();
      resolve(answer);
    };
    const onExit = (): void => {
      done();
      reject(tooMuch('memory'));
    };
    const onAbort = (): void => {
      done();
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      done();
      reject(tooMuch('time'));
    }, timeMs);
    signal.addEventListener('abort', onAbort, { once: true });
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.channel?.ref();
    child.send(document, (error) => {
      if (error !== null) onExit();
    });
  });
}
