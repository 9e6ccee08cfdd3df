// Posts to an address that a user chose (a webhook): http and https, public ones only, checked
// when the connection is made. A redirect is an answer, never followed. Only the status is of
// interest: of the answer's body nothing is read, so that its size and pace cost nothing.

import { request } from 'node:http';
import type { Socket } from 'node:net';
import { brokenReason } from './break-reason.ts';
import { failed, openPublic, refused, withoutThreads, type PublicFailure } from './open-public.ts';
import type { PublicAddresses } from './public-address.ts';

export interface PublicPost {
  readonly url: string;
  readonly addresses: PublicAddresses;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For all of it, connecting included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type PostAnswer = { readonly kind: 'ANSWER'; readonly status: number } | PublicFailure;

export async function postPublic(post: PublicPost): Promise<PostAnswer> {
  const problem = post.addresses.problem(post.url);
  if (problem !== undefined) return refused(`the address ${problem}`);
  const url = new URL(post.url);
  const stop = AbortSignal.any([post.signal, AbortSignal.timeout(post.timeoutMs)]);
  const stopped = (): PublicFailure =>
    failed(post.signal.aborted ? 'it was stopped' : `no answer within ${post.timeoutMs} ms`);
  const opened = await openPublic(url, post.addresses, stop, withoutThreads);
  if ('kind' in opened) return stop.aborted ? stopped() : opened;
  try {
    if (stop.aborted) return stopped();
    const answer = await exchange(opened, url, post, stop);
    return answer.kind !== 'ANSWER' && stop.aborted ? stopped() : answer;
  } finally {
    opened.destroy();
  }
}

function exchange(
  socket: Socket,
  url: URL,
  { headers, body }: PublicPost,
  stop: AbortSignal,
): Promise<PostAnswer> {
  return new Promise((resolve) => {
    const finish = (answer: PostAnswer): void => {
      stop.removeEventListener('abort', onStop);
      resolve(answer);
    };
    const onStop = (): void => finish(failed('it was stopped'));
    stop.addEventListener('abort', onStop, { once: true });
    const outgoing = request({
      method: 'POST',
      path: `${url.pathname}${url.search}`,
      headers: {
        ...headers,
        host: url.host,
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'Holdpoint',
        connection: 'close',
      },
      setHost: false,
      createConnection: () => socket,
    });
    // A peer may answer and close while the body is still being written: what it answered counts.
    outgoing.on('response', ({ statusCode = 0 }) => finish({ kind: 'ANSWER', status: statusCode }));
    outgoing.on('upgrade', ({ statusCode = 0 }) => finish({ kind: 'ANSWER', status: statusCode }));
    outgoing.on('error', (error) => finish(failed(brokenReason(error))));
    outgoing.on('close', () => finish(failed('the connection was closed before an answer')));
    outgoing.end(body);
  });
}
