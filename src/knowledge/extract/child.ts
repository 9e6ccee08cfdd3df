// The process that reads documents: one after the other, each by a message, until it is told to go
// or its parent is gone. It is given no environment and no connection. A thread of its own ends the
// process when it has taken more memory than it may, also while a parser does not come to rest.

import { Worker } from 'node:worker_threads';
import { extract, type Extracted, type ToExtract } from './extract.ts';
import { DocumentError, type DocumentFailure } from './problem.ts';

export type ChildAnswer =
  | { readonly ok: true; readonly extracted: Extracted; readonly rssBytes: number }
  | { readonly ok: false; readonly failure: DocumentFailure; readonly rssBytes: number };

const LOOK_EVERY_MS = 50;
const WATCH = `
const { workerData } = require('node:worker_threads');
const parent = process.ppid;
setInterval(() => {
  if (process.memoryUsage.rss() > workerData || process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, ${LOOK_EVERY_MS});`;

const mostBytes = Number(process.argv[2]);
new Worker(WATCH, { eval: true, workerData: mostBytes }).unref();

// Whoever stops the worker from a terminal stops its children too: when this one ends is its parent's
// word.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToExtract) => {
  void answer(message).then((said) => process.send?.(said));
});

async function answer(message: ToExtract): Promise<ChildAnswer> {
  try {
    const extracted = await extract(message);
    return { ok: true, extracted, rssBytes: process.memoryUsage.rss() };
  } catch (error) {
    return { ok: false, failure: failureOf(error), rssBytes: process.memoryUsage.rss() };
  }
}

function failureOf(error: unknown): DocumentFailure {
  if (error instanceof DocumentError) return error.failure;
  // Nested too deeply, or a table of millions: RangeError. Anything else a parser did not expect.
  return error instanceof RangeError
    ? { code: 'TOO_COMPLEX', message: 'The document is nested too deeply to be read.' }
    : { code: 'BROKEN', message: 'The document is broken: it cannot be read.' };
}
