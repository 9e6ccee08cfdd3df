// The last net under what goes back to Temporal: a result that it would not take is refused by it
// again and again, and the run would wait for ever. Such a run ends with a code instead. The bounds
// that keep results small are where they are made.

import { endsRun } from './failures.ts';

/** Temporal takes 2 MiB in one piece; what a codec or the protocol adds is left room for. */
const RESULT_MAX_BYTES = 1.5 * 2 ** 20;

export const deliverable =
  <Request, Result>(activity: (request: Request) => Promise<Result>) =>
  async (request: Request): Promise<Result> => {
    const result = await activity(request);
    const bytes = Buffer.byteLength(JSON.stringify(result) ?? '');
    if (bytes > RESULT_MAX_BYTES)
      throw endsRun('OUTPUT_TOO_LARGE', 'A step of the run came to more than can be handed on.');
    return result;
  };
