// A stream of the API for as long as its page is open: the client's way of going on after a cut
// connection, and on again where that gives up because the server is away for longer.

import { AbortError } from '../../../client/errors.ts';
import { follow } from '../../../client/follow.ts';
import { isTemporary } from '../../../client/problem.ts';
import type { Api } from './api.ts';

export interface FollowedStream<F> {
  readonly path: string;
  readonly signal: AbortSignal;
  /** Whether anything follows; by default it always does. */
  readonly placeOf?: (frame: F) => 'MORE' | 'LAST' | 'LAST_SO_FAR';
  readonly onFrame: (frame: F & { readonly id: string }) => void;
  /** Before each connection: what is there may be older than what the server has. */
  readonly onConnecting?: () => void;
  readonly onConnected?: (response: Response) => void;
}

/** Ends with the stream or with `signal`; throws what will not get better. */
export async function followAlways<F>(
  api: Api,
  { path, signal, placeOf = () => 'MORE', onFrame, onConnecting, onConnected }: FollowedStream<F>,
): Promise<void> {
  let last: string | undefined;
  async function open(after: string | undefined, cut: AbortSignal): Promise<Response> {
    onConnecting?.();
    const headers = after === undefined ? {} : { 'Last-Event-ID': after };
    const response = await api.open(path, { signal: cut, headers });
    onConnected?.(response);
    return response;
  }
  for (;;)
    try {
      for await (const frame of follow({ open, placeOf, after: last, signal })) {
        last = frame.id;
        onFrame(frame);
      }
      return;
    } catch (error) {
      if (signal.aborted || error instanceof AbortError) return;
      if (!isTemporary(error)) throw error;
    }
}
