// Pictures and sound that tools returned in this run, for a model that takes them: the newest ones,
// as far as they fit. What does not is told in words by the call's own result.

import { MEDIA_TOTAL_MAX_BYTES, mediaType } from '../contract/media.ts';
import type { ModelPart } from '../models/model.ts';
import type { Store } from '../store/database/access.ts';
import { mediaBytes, mediaOfCalls } from '../store/runs/media.ts';
import type { TurnWork } from '../store/turns/turns.ts';
import { modelPart, type MediaByOwner } from './run-media.ts';

export async function loadCallMedia(
  store: Store,
  { run, agent, turns }: Pick<TurnWork, 'run' | 'agent' | 'turns'>,
): Promise<MediaByOwner> {
  const mayHave = agent.tools.some((tool) => tool.kind === 'mcp') && (agent.vision || agent.audio);
  if (!mayHave || turns.length === 0) return new Map();
  const listed = await store.asWorker((tx) => mediaOfCalls(tx, run.runId));
  let left = MEDIA_TOTAL_MAX_BYTES;
  const shown = listed.filter(({ type, size }) => {
    const kind = mediaType(type)?.kind;
    return kind !== undefined && agent[kind] && (left -= size) >= 0;
  });
  if (shown.length === 0) return new Map();
  const hashes = shown.map(({ sha256 }) => sha256);
  const bytes = await store.asWorker((tx) => mediaBytes(tx, run.orgId, hashes));
  const parts = new Map<string, ModelPart[]>();
  for (const { callId, type, sha256 } of shown) {
    const kind = mediaType(type)?.kind;
    const content = bytes.get(sha256);
    if (kind === undefined || content === undefined) continue;
    parts.set(callId, [...(parts.get(callId) ?? []), modelPart(type, kind, content)]);
  }
  return parts;
}
