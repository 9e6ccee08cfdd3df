// The images and sound that a model call is given: this run's, and those of the session's earlier
// runs as far as they fit. What came as an address is fetched here, before the first model call,
// and kept: every later turn and run sees the same bytes.

import {
  MEDIA_MAX_BYTES,
  MEDIA_TOTAL_MAX_BYTES,
  MEDIA_TYPES,
  mediaProblem,
  mediaType,
  type MediaKind,
} from '../contract/media.ts';
import { readPublic } from '../egress/fetch-public.ts';
import type { PublicAddresses } from '../egress/public-address.ts';
import type { ModelPart } from '../models/model.ts';
import type { Store } from '../store/database/access.ts';
import { keepFetched, mediaBytes, mediaOf, type StoredMedia } from '../store/runs/media.ts';
import type { TurnWork } from '../store/turns/turns.ts';
import { endsRun } from './failures.ts';

/** By the run whose message has them, or by the call that returned them. */
export type MediaByOwner = ReadonlyMap<string, readonly ModelPart[]>;

/** A page's pictures come within seconds; a caller waits. */
const FETCH_MS = 15_000;
const ATTEMPTS = 2;
const LEFT_OUT: ModelPart = {
  kind: 'text',
  text: '[An image or a recording of this message is not shown any more.]',
};

/** Throws what ends the run as MEDIA_UNAVAILABLE; with `signal` aborted, any error. */
export async function loadMedia(
  { store, addresses }: { readonly store: Store; readonly addresses: PublicAddresses },
  { run, agent, history, hasMedia }: Pick<TurnWork, 'run' | 'agent' | 'history' | 'hasMedia'>,
  signal: AbortSignal,
): Promise<MediaByOwner> {
  const newestFirst = [
    ...(hasMedia ? [run.runId] : []),
    ...history.flatMap((e) => (e.hasMedia ? [e.runId] : [])).toReversed(),
  ];
  if (newestFirst.length === 0) return new Map();
  const read = (): Promise<readonly StoredMedia[]> =>
    store.asWorker((tx) => mediaOf(tx, newestFirst));
  let listed = await read();
  const missing = listed.filter((item) => item.runId === run.runId && item.sha256 === null);
  if (missing.length > 0) {
    await Promise.all(missing.map((item) => fetchOne(store, addresses, run.orgId, item, signal)));
    listed = await read();
  }
  const own = listed.filter((item) => item.runId === run.runId);
  if (own.reduce((sum, item) => sum + item.size, 0) > MEDIA_TOTAL_MAX_BYTES)
    throw endsRun(
      'MEDIA_UNAVAILABLE',
      `The media of this run are larger than ${MEDIA_TOTAL_MAX_BYTES} bytes together.`,
    );

  const shown = fitting(newestFirst.flatMap((id) => listed.filter((item) => item.runId === id)));
  const hashes = [...shown].flatMap((item) => item.sha256 ?? []);
  const bytes = await store.asWorker((tx) => mediaBytes(tx, run.orgId, hashes));
  const partOf = (item: StoredMedia): ModelPart => {
    const content = shown.has(item) ? bytes.get(item.sha256 ?? '') : undefined;
    const kind = mediaType(item.type)?.kind;
    // The agent may have been changed since an earlier run.
    if (content === undefined || kind === undefined || !agent[kind]) return LEFT_OUT;
    return modelPart(item.type, kind, content);
  };
  return new Map(
    newestFirst.map((id) => [id, listed.filter((item) => item.runId === id).map(partOf)]),
  );
}

export function modelPart(type: string, kind: MediaKind, content: Buffer): ModelPart {
  const data = content.toString('base64');
  if (kind === 'vision') return { kind: 'image', url: `data:${type};base64,${data}` };
  return { kind: 'audio', data, format: type.endsWith('wav') ? 'wav' : 'mp3' };
}

/** A long session must not send hundreds of megabytes with every call: the newest are shown. */
function fitting(newestFirst: readonly StoredMedia[]): ReadonlySet<StoredMedia> {
  let left = MEDIA_TOTAL_MAX_BYTES;
  const taken = newestFirst.filter((item) => (left -= item.size) >= 0);
  return new Set(taken);
}

async function fetchOne(
  store: Store,
  addresses: PublicAddresses,
  orgId: string,
  item: StoredMedia,
  signal: AbortSignal,
): Promise<void> {
  const unavailable = (why: string): Error =>
    endsRun(
      'MEDIA_UNAVAILABLE',
      `The media at position ${item.idx + 1} cannot be had from its address: ${why}.`,
    );
  for (let attempt = 1; ; attempt++) {
    const got = await readPublic({
      ...{ url: item.url ?? '', addresses, timeoutMs: FETCH_MS, signal, maxBytes: MEDIA_MAX_BYTES },
      accept: MEDIA_TYPES.join(', '),
    });
    signal.throwIfAborted();
    const passing = got.kind === 'FAILED' || (got.kind === 'ANSWER' && got.status >= 500);
    if (passing && attempt < ATTEMPTS) continue;
    if (got.kind !== 'ANSWER') throw unavailable(got.why);
    if (got.status !== 200) throw unavailable(`the answer was ${got.status}`);
    const problem = got.truncated
      ? `it is larger than ${MEDIA_MAX_BYTES} bytes`
      : mediaProblem(item.type, got.bytes);
    if (problem !== undefined) throw unavailable(got.truncated ? problem : `it ${problem}`);
    return store.asWorker((tx) =>
      keepFetched(tx, { runId: item.runId, orgId, idx: item.idx }, got.bytes),
    );
  }
}
